"""3D Gaussian splatting (Kerbl et al. 2023): a scene of coloured Gaussians, drawn sorted by depth.

photos, test = load_scene(), load_scene(split="test")
field = SplatField(photos)
nerf.train(field, photos, seconds=30)
print(nerf.evaluate(field, test))
save_ply("desk.ply", field.gaussians)
"""

from course_lib.splatting.blend import splat_alpha
from course_lib.splatting.densify import densify, split_in_two
from course_lib.splatting.field import SplatField
from course_lib.splatting.files import load_ply, save_ply
from course_lib.splatting.gaussians import Gaussians, covariance
from course_lib.splatting.pairs import splat_reach
from course_lib.splatting.projection import (
    Splats,
    View,
    project_covariance,
    project_gaussians,
    projection_jacobian,
    view_of,
)
from course_lib.splatting.render import blend_splats, conics, render
from course_lib.splatting.surface import extract_mesh
