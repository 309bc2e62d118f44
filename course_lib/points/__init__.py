"""Point clouds (n, 3): transforms, depth maps, sampling, normals, surface reconstruction, files."""

from course_lib.points.clouds import (
    apply_transform,
    farthest_point_sampling,
    points_on_triangles,
    unproject_depth,
)
from course_lib.points.files import load_cloud, save_cloud
from course_lib.points.surfaces import (
    nearest_indices,
    orient_normals,
    pca_normals,
    reconstruct_surface,
)
