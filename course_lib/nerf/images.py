"""How alike two pictures are: PSNR and SSIM."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.stable import in_single

WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
BYTES = 2.0  # colours beyond this are those of bytes, from 0 to 255


@in_single
def psnr(
    image: Float[Tensor, "*batch h w 3"], target: Float[Tensor, "*batch h w 3"]
) -> Float[Tensor, "*batch"]:
    """Peak signal-to-noise ratio in decibels of colours in [0, 1]: -10 log₁₀ MSE, per picture.

    The mean of the squares is over pixels and channels; equal pictures give inf.

    >>> psnr(torch.zeros(1, 1, 3), torch.full((1, 1, 3), 0.1))
    tensor(20.)
    """
    check_colors(image, target)
    return -10 * torch.log10(((image - target) ** 2).mean((-3, -2, -1)))


@in_single
def ssim(
    image: Float[Tensor, "*batch h w 3"], target: Float[Tensor, "*batch h w 3"]
) -> Float[Tensor, "*batch"]:
    """Structural similarity (Wang et al. 2004) of colours in [0, 1], the mean over pixels and channels.

    Means, variances and covariance under a Gaussian window (11 pixels, standard deviation 1.5), only
    where it fits into the picture; C₁ = 0.01², C₂ = 0.03². 1 for equal pictures.
    """
    check_colors(image, target)
    if min(image.shape[-3:-1]) < WINDOW:
        raise ValueError(f"expected pictures of at least {WINDOW} pixels, got {(*image.shape,)}")
    x = torch.arange(WINDOW, dtype=image.dtype, device=image.device) - (WINDOW - 1) / 2
    bell = torch.exp(-(x**2) / (2 * SIGMA**2))
    bell = bell / bell.sum()

    def blur(values: Tensor) -> Tensor:
        planes = values.movedim(-1, -3).reshape(-1, 1, *values.shape[-3:-1])
        return F.conv2d(F.conv2d(planes, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))

    a, b = blur(image), blur(target)
    aa, bb, ab = blur(image**2) - a * a, blur(target**2) - b * b, blur(image * target) - a * b
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * a * b + c1) * (2 * ab + c2) / ((a * a + b * b + c1) * (aa + bb + c2))
    return score.mean((-3, -2, -1)).view(*image.shape[:-3], 3).mean(-1)


def check_colors(image: Tensor, target: Tensor) -> None:
    """Raise ValueError unless both are pictures of one shape with colours in [0, 1], as floats."""
    if image.shape != target.shape:
        raise ValueError(f"expected equal shapes, got {(*image.shape,)} and {(*target.shape,)}")
    for colors in (image, target):
        if bool((colors.abs() > BYTES).any()):
            raise ValueError(
                f"expected colours in [0, 1], got up to {float(colors.max()):g}: divide bytes by 255"
            )
