"""Neural radiance fields: a scene from photographs with known cameras.

scene, test = load_scene(), load_scene(split="test")        # course_lib.data.scenes
field = VoxelField(scene)                                   # or MLPField(scene)
train(field, scene, seconds=30)
print(evaluate(field, test))
picture = field.view(test, 0).color
mesh = extract_mesh(field)
"""

from course_lib.nerf.grid import sh_color, trilinear
from course_lib.nerf.hashing import HashField, hash_index
from course_lib.nerf.health import (
    Finding,
    HealthMonitor,
    check_background,
    check_field,
    check_scene,
)
from course_lib.nerf.images import psnr, ssim
from course_lib.nerf.mlp import MLPField, RadianceMLP, query_field
from course_lib.nerf.occupancy import surroundings, tight_span
from course_lib.nerf.pixels import PixelSource
from course_lib.nerf.region import orbit
from course_lib.nerf.sdf import SurfaceField, laplace_density
from course_lib.nerf.surface import extract_mesh
from course_lib.nerf.training import Curve, History, evaluate, train
from course_lib.nerf.voxels import VoxelField
