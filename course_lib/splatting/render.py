"""A picture of Gaussians: project, sort, and add up from the front (Kerbl et al. 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from course_lib.splatting.blend import Blend
from course_lib.splatting.gaussians import Gaussians
from course_lib.splatting.pairs import splat_reach
from course_lib.splatting.projection import FILTER, Splats, View, project_gaussians
from course_lib.volume import Composite, compositing_weights

PAIRS = 1 << 22  # pairs of splat and pixel that are held at a time, roughly


def render(
    gaussians: Gaussians, view: View, *, background: float | Float[Tensor, "..."] = 0.0
) -> Composite:
    """Colour (h, w, 3), mean distance (h, w) of what was met, and opacity (h, w), before a background.

    background: a number, a colour (3,), or one for each pixel (h, w, 3). Differentiable in the
    Gaussians. Pictures with many pairs are made in strips of rows, which are made again for
    the gradient, so that memory stays bounded.
    """
    splats = project_gaussians(gaussians, view)
    distance = (gaussians.means - view.eye).norm(dim=-1, keepdim=True)
    features = torch.cat([gaussians.colors(view.eye), distance, torch.ones_like(distance)], dim=-1)
    features = features.index_select(0, splats.index)
    opacities = gaussians.opacities.index_select(0, splats.index)
    parts = (splats.centers, conics(splats.covariances), opacities, features)
    flat = _in_strips(parts, _pairs_at_most(splats, opacities, view.size), view.size)
    color, distance, opacity = flat.view(*view.size, 5).split([3, 1, 1], dim=-1)
    depth = distance / opacity.clamp(min=1e-6)
    return Composite(color + (1 - opacity) * background, depth[..., 0], opacity[..., 0])


def conics(covariances: Float[Tensor, "n 2 2"]) -> Float[Tensor, "n 3"]:
    """The entries (xx, xy, yy) of the inverses of projected covariances.

    >>> conics(torch.tensor([[[2.0, 0.0], [0.0, 4.0]]]))
    tensor([[0.5000, -0.0000, 0.2500]])
    """
    a, b, c = covariances[:, 0, 0], covariances[:, 0, 1], covariances[:, 1, 1]
    det = (a * c - b * b).clamp(min=FILTER**2)  # less can only come from rounding
    return torch.stack([c, -b, a], dim=-1) / det[:, None]


def blend_splats(
    alphas: Float[Tensor, "*pixels n"], colors: Float[Tensor, "n c"], depths: Float[Tensor, "n"]
) -> Float[Tensor, "*pixels c"]:
    """The sum over splats sorted by depth: Σᵢ αᵢ Πⱼ (1 - αⱼ) colourᵢ, j over those nearer than i.

    That is NeRF's sum (`volume.compositing_weights`) with σδ = -log(1 - α), since 1 - exp(-σδ) = α.
    Differentiable in the alphas and colours.

    >>> alphas, colors = torch.tensor([0.5, 0.5]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> blend_splats(alphas, colors, torch.tensor([2.0, 1.0]))
    tensor([0.2500, 0.5000])
    """
    order = depths.argsort()
    tau = -torch.log1p(-alphas[..., order])
    return compositing_weights(tau, torch.ones_like(tau)) @ colors[order]


def _pairs_at_most(splats: Splats, opacities: Float[Tensor, "m"], size: tuple[int, int]) -> int:
    """How many pairs the boxes around the splats make, if all of them lie inside the picture."""
    with torch.no_grad():
        variances = splats.covariances.diagonal(dim1=1, dim2=2)  # of x and y
        sides = 2 * splat_reach(opacities)[:, None] * variances.sqrt()
        whole = sides.new_tensor([size[1], size[0]])
        return int(torch.minimum(sides, whole).prod(-1).sum())


def _in_strips(
    parts: tuple[Tensor, ...], pairs: int, size: tuple[int, int]
) -> Float[Tensor, "pixels c"]:
    """`Blend`, in strips of rows where there are too many pairs for one piece."""
    strips = min(size[0], 1 + pairs // PAIRS)
    if strips == 1:
        return Blend.apply(*parts, size)
    rows = -(-size[0] // strips)

    def strip(top: int, centers: Tensor, *others: Tensor) -> Tensor:
        down = centers.new_tensor([0.0, top])
        return Blend.apply(centers - down, *others, (min(rows, size[0] - top), size[1]))

    tops = range(0, size[0], rows)
    return torch.cat([checkpoint(strip, top, *parts, use_reentrant=False) for top in tops])
