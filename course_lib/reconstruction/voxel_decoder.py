"""Decoder 1: voxels. A code becomes a coarse grid, which transposed convolutions refine to 32³.

After Choy et al. 2016, "3D-R2N2", and Girdhar et al. 2016, "TL-embedding network".
"""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.metrics import soft_iou
from course_lib.reconstruction.encoder import CODE, Features

CHANNELS = (64, 32, 16, 1)  # at 4³, 8³, 16³ and 32³
KERNELS = (4, 4, 2)


class VoxelDecoder(nn.Module):
    """code (b, 128) → linear → (b, 64, 4, 4, 4) → 8³ → 16³ → logits (b, 32, 32, 32).

    `step` is `grow`, or a function that does the same.
    """

    def __init__(self, step: Callable | None = None):
        super().__init__()
        self.step: Callable = step or grow
        self.start = nn.Linear(CODE, CHANNELS[0] * 4**3)
        self.norms = nn.ModuleList(nn.BatchNorm3d(c) for c in CHANNELS[:-1])
        ups = [
            nn.ConvTranspose3d(CHANNELS[i], CHANNELS[i + 1], KERNELS[i], stride=2) for i in range(3)
        ]
        assert ups[-1].bias is not None
        nn.init.constant_(ups[-1].bias, -2.0)  # most voxels are empty
        self.ups = nn.ModuleList(ups)

    def forward(self, features: Features) -> Float[Tensor, "b 32 32 32"]:
        volume = self.start(features.code).unflatten(1, (-1, 4, 4, 4))  # (b, 64, 4, 4, 4)
        for norm, up in zip(self.norms, self.ups, strict=True):
            assert isinstance(up, nn.ConvTranspose3d)
            volume = self.step(norm(volume), up.weight, up.bias)  # r → 2r
        return volume[:, 0]


def grow(
    volume: Float[Tensor, "b c r r r"], weight: Float[Tensor, "c o k k k"], bias: Float[Tensor, "o"]
) -> Float[Tensor, "b o r2 r2 r2"]:
    """ReLU, then a transposed convolution that doubles the side, r → 2r, for an even kernel k.

    Every input voxel paints a weighted k³ patch, two output voxels (the stride) away from its
    neighbours' patches; where patches overlap they add up. The side becomes 2(r − 1) + k − 2·padding,
    so that padding k/2 − 1 makes it 2r.

    >>> import torch
    >>> grow(torch.ones(1, 1, 4, 4, 4), torch.ones(1, 2, 4, 4, 4), torch.zeros(2)).shape
    torch.Size([1, 2, 8, 8, 8])
    """
    padding = weight.shape[-1] // 2 - 1
    return F.conv_transpose3d(volume.relu(), weight, bias, stride=2, padding=padding)


def occupancy_loss(
    logits: Float[Tensor, "b *grid"], occupancy: Float[Tensor, "b *grid"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy plus 1 minus the soft IoU of notebook 04.

    L = −mean(o log p + (1 − o) log(1 − p)) + 1 − mean_b IoU(p, o), with p = sigmoid(logit)
    and o of 0 and 1, as floats. The cross-entropy alone is ruled by the 96 % of the voxels that are
    empty; the IoU does not count them. Cross-entropy in nats, from logits, which keeps it finite.

    >>> import torch
    >>> occupancy_loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))  # log 2 + 1 − 0.5/1.5
    tensor(1.3598)
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, occupancy)
    return cross_entropy + 1 - soft_iou(logits.sigmoid(), occupancy).mean()
