"""The radiance field of the lecture: a network F_Θ: (x, y, z, θ, φ) → (RGB, σ), coarse and fine."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.data.photographs import Photographs
from course_lib.nerf.field import RadianceField, scene_background
from course_lib.nerf.occupancy import surroundings, tight_span
from course_lib.nerf.pixels import Rays
from course_lib.volume import (
    Composite,
    composite,
    compositing_weights,
    positional_encoding,
    sample_pdf,
    stratified_positions,
)


class RadianceMLP(nn.Module):
    """The network of NeRF (Mildenhall et al. 2020, figure 7).

    `depth` layers of `width` with ReLU; the encoded position enters again in the middle (the skip). The
    density comes from the position alone; the encoded view direction joins only for the colour.
    The paper's: width 256, depth 8, 10 and 4 frequencies. Positions are in [-1, 1]³.
    """

    def __init__(
        self,
        width: int = 256,
        depth: int = 8,
        *,
        position_frequencies: int = 10,
        direction_frequencies: int = 4,
    ):
        super().__init__()
        self.position_frequencies = position_frequencies
        self.direction_frequencies = direction_frequencies
        n_position = 3 + 6 * position_frequencies  # the point itself too, as in the paper's code
        n_direction = 3 + 6 * direction_frequencies
        self.skip = depth // 2
        self.trunk = nn.ModuleList(
            nn.Linear(n_position if i == 0 else width + n_position * (i == self.skip), width)
            for i in range(depth)
        )
        self.density = nn.Linear(width, 1)
        self.feature = nn.Linear(width, width)
        self.color = nn.Sequential(
            nn.Linear(width + n_direction, width // 2), nn.ReLU(), nn.Linear(width // 2, 3)
        )

    def forward(
        self, x: Float[Tensor, "n 3"], d: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        """`query_field` of this network."""
        return query_field(self, x, d)


def query_field(
    network: RadianceMLP, x: Float[Tensor, "n 3"], d: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
    """F_Θ: the density σ >= 0 (n,) at points x, and the colour in (0, 1) that they show in direction d.

    The point and its encoding go through `network.trunk`, with ReLU; they are appended once more before
    layer `network.skip`, unless that is 0. Then σ = softplus(density(h) - 1), without the direction,
    and rgb = sigmoid(color(feature(h), d, γ(d))).
    x: points in [-1, 1]³; d: unit vectors.
    """
    x = torch.cat([x, positional_encoding(x, network.position_frequencies)], dim=-1)
    d = torch.cat([d, positional_encoding(d, network.direction_frequencies)], dim=-1)
    h = x
    for i, layer in enumerate(network.trunk):
        if i == network.skip and i > 0:
            h = torch.cat([h, x], dim=-1)
        h = F.relu(layer(h))
    # softplus where the paper has relu: a density that starts at 0 everywhere would stay there
    sigma = F.softplus(network.density(h)[:, 0] - 1)
    rgb = torch.sigmoid(network.color(torch.cat([network.feature(h), d], dim=-1)))
    return sigma, rgb


class MLPField(RadianceField):
    """A coarse and a fine network, trained together (NeRF section 5).

    The coarse one is asked at `coarse` stratified samples of the ray; its weights say where `fine` more
    are worth taking, and the fine network sees both. fine = 0: no second network. The near and far end
    of each ray are where it enters and leaves the visual hull. For experiments, `view_dependent` and
    `stratified` leave these ingredients out. Density is per 1/`DENSITY` of the
    region's scale, so that the network's numbers are of the order of one.
    """

    DENSITY = 20.0

    def __init__(
        self,
        scene: Photographs,
        *,
        width: int = 256,
        depth: int = 8,
        coarse: int = 32,
        fine: int = 32,
        batch: int = 512,
        learning_rate: float = 1e-3,
        position_frequencies: int = 10,
        direction_frequencies: int = 4,
        view_dependent: bool = True,
        stratified: bool = True,
        seed: int = 0,
    ):
        self.view_dependent, self.stratified = view_dependent, stratified
        self.background = scene_background(scene)
        self.region, self.occupancy = surroundings(scene)
        self.n_coarse, self.n_fine, self.batch = coarse, fine, batch
        self.learning_rate = learning_rate
        frequencies = {
            "position_frequencies": position_frequencies,
            "direction_frequencies": direction_frequencies,
        }
        with torch.random.fork_rng(devices=[]):  # the student's random numbers stay as they were
            torch.manual_seed(seed)
            self.coarse = RadianceMLP(width, depth, **frequencies).to(self.background.device)
            self.fine = RadianceMLP(width, depth, **frequencies).to(self.background.device)
        parameters = [*self.coarse.parameters(), *(self.fine.parameters() if fine else ())]
        self.optimizer = torch.optim.Adam(parameters)

    def prepare(self, progress: float) -> None:
        """Warm up for a fiftieth of the training, then let the learning rate fall to a tenth."""
        self.progress = progress
        warm = min(1.0, 0.1 + progress / 0.02)
        self.optimizer.param_groups[0]["lr"] = self.learning_rate * warm * 0.1**progress

    def pictures(
        self, rays: Rays, background: Float[Tensor, "..."], generator: torch.Generator | None
    ) -> tuple[list[Composite], float]:
        """The pictures of the coarse network and of the fine one."""
        near, far = tight_span(self.occupancy, self.region, rays)  # as u, see Region
        shape, device = (len(near), self.n_coarse), near.device
        middle = torch.full(shape, 0.5, device=device)
        jittered = generator is not None and self.stratified
        jitter = torch.rand(shape, generator=generator, device=device) if jittered else middle
        u = stratified_positions(near, far, jitter)
        picture, weights = self._shade(self.coarse, rays, (near, far), u, background)
        if self.n_fine == 0:
            return [picture], 0.0
        generator = generator or torch.Generator(device).manual_seed(0)  # pictures repeat
        more = sample_pdf(_edges(near, u, far), weights + 1e-5, self.n_fine, generator=generator)
        u = torch.cat([u, more], dim=-1).sort(dim=-1).values
        return [picture, self._shade(self.fine, rays, (near, far), u, background)[0]], 0.0

    def _shade(
        self,
        network: RadianceMLP,
        rays: Rays,
        ends: tuple[Tensor, Tensor],
        u: Float[Tensor, "n s"],
        background: Float[Tensor, "..."],
    ) -> tuple[Composite, Float[Tensor, "n s"]]:
        """What a network shows on rays sampled at u, and the weights of the samples."""
        origins, directions = rays
        t = self.region.unbend(u)
        points = origins[:, None] + t[..., None] * directions[:, None]  # (n, s, 3)
        seen_from = directions[:, None].expand_as(points) * self.view_dependent
        flat = self.region.to_unit(points).reshape(-1, 3), seen_from.reshape(-1, 3)  # (n s, 3)
        sigma, rgb = network(*flat)
        deltas = _edges(ends[0], u, ends[1]).diff(dim=-1) * (self.DENSITY / self.region.scale)
        weights = compositing_weights(sigma.view(u.shape), deltas)  # (n s,) → (n, s)
        color = rgb.view(*u.shape, 3)  # (n s, 3) → (n, s, 3)
        picture = composite(weights, color, t, background=background)
        return picture, weights

    @torch.no_grad()
    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """σ of the last network, per unit of length."""
        network = self.fine if self.n_fine else self.coarse
        unit = self.region.to_unit(points)
        sigma = torch.cat([network(x, torch.zeros_like(x))[0] for x in unit.split(1 << 16)])
        inside = (unit.abs() <= 1).all(-1)
        return sigma * inside * (self.DENSITY / self.region.scale)


def _edges(
    near: Float[Tensor, "n"], u: Float[Tensor, "n s"], far: Float[Tensor, "n"]
) -> Float[Tensor, "n edges"]:
    """The intervals that samples stand for: from the middle to the last one to that to the next."""
    return torch.cat([near[:, None], (u[:, 1:] + u[:, :-1]) / 2, far[:, None]], dim=-1)
