"""Functions as shapes: meshes to signed distances and back, projection, a neural SDF."""

from course_lib.implicit.fields import eikonal_residual, project_to_surface, sdf_gradient
from course_lib.implicit.mesh_sdf import mesh_to_sdf, sdf_to_mesh
from course_lib.implicit.nearest import SurfaceSearch, nearest_on_surface
from course_lib.implicit.neural import NeuralSdf, sdf_samples
from course_lib.implicit.tidy import is_closed, tidy
from course_lib.implicit.winding import fast_winding_number, winding_number
