"""From shapes to pixels: hard and soft rasterising, shading, sphere tracing.

`hard` holds the steps of the z-buffer algorithm to be read, `zbuffer.draw_faces` does them all, fast.
`soft_silhouette` and `soft_render` are differentiable. `sphere_trace` finds the zero set of an SDF.
"""

from course_lib.rasterize.hard import (
    barycentric_coordinates,
    edge_function,
    lambert,
    nearest_face,
    perspective_correct,
)
from course_lib.rasterize.soft import (
    signed_squared_distance,
    soft_coverage,
    soft_render,
    soft_silhouette,
    union_coverage,
)
from course_lib.rasterize.tracing import march_rays, sdf_normals, sphere_trace
from course_lib.zbuffer import Fragments, draw_faces
