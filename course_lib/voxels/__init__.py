"""Voxel grids over [−1, 1]³: conversions into them, their physics, the binvox format."""

from course_lib.voxels.binvox import Binvox, load_binvox, save_binvox
from course_lib.voxels.grids import (
    conv3d_cost,
    occupied_fraction,
    points_to_voxels,
    voxel_centers,
    voxelize,
)
from course_lib.voxels.physics import inertia_tensor, volume
from course_lib.voxels.solids import mesh_to_voxels, voxels_to_mesh
from course_lib.voxels.surfaces import surface_voxels
