"""From one picture to a shape: an image encoder and four decoders, one per representation."""

from course_lib.reconstruction.encoder import CODE, Features, FromImage, ImageEncoder
from course_lib.reconstruction.evaluate import Sampled, evaluate, sample_mesh
from course_lib.reconstruction.implicit_decoder import ImplicitDecoder, modulate
from course_lib.reconstruction.mesh_decoder import (
    MeshDecoder,
    mesh_training_loss,
    refine,
    vertex_image_features,
)
from course_lib.reconstruction.point_decoder import PointDecoder, two_branches
from course_lib.reconstruction.voxel_decoder import VoxelDecoder, grow, occupancy_loss
