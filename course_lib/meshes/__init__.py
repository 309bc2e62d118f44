"""Triangle meshes: the type, simple surfaces, sampling, topology, Laplacians, files.

Conventions: right-handed axes with y up; the corners of a face run counter-clockwise seen from
outside, so its normal (b − a) × (c − a) points outwards.
"""

from course_lib.meshes.files import load_mesh, save_mesh
from course_lib.meshes.marching import grid_to_mesh, lattice
from course_lib.meshes.mesh import (
    Mesh,
    concatenate,
    directed_edges,
    face_areas,
    face_normals,
    subdivide,
    undirected_edges,
    vertex_normals,
)
from course_lib.meshes.operators import cotangent_laplacian, graph_convolution, vertex_areas
from course_lib.meshes.orient import orientation
from course_lib.meshes.primitives import box, icosphere, sheet, tetrahedron, torus
from course_lib.meshes.sampling import sample_surface
from course_lib.meshes.topology import (
    angle_defect,
    boundary_loops,
    component_count,
    euler_characteristic,
    genus,
    is_watertight,
)
