"""What all fields have in common, and what those that render rays have."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from course_lib.data.photographs import Photographs, over
from course_lib.nerf.pixels import PixelSource, Rays, object_pixels
from course_lib.nerf.region import Region, backdrop
from course_lib.volume import Composite

CHUNK = 1 << 14  # rays rendered at once
RAYS = 512  # how many the health checks look at


class Field:
    """What learns a scene from photographs and shows it, with its own optimizer.

    `progress` in [0, 1] is how much of the training has been done, so that an interrupted training
    resumes where it stopped. `background` is what transparent pixels show: for photographs with alpha
    any colour will do, and white is used. A pixel shows the mean of what falls on it: `supersample`
    squared rays (or finer pixels) stand for it in `view`.
    """

    background: Float[Tensor, "3"]
    optimizer: torch.optim.Optimizer
    progress: float = 0.0
    supersample: int = 1

    def prepare(self, progress: float) -> None:
        """Set the learning rate, grow or prune, before a step of the training."""
        raise NotImplementedError

    def learn(self, pixels: PixelSource, generator: torch.Generator) -> Float[Tensor, ""]:
        """One step of gradient descent; the loss before it."""
        raise NotImplementedError

    def view(self, scene: Photographs, index: int, *, supersample: int | None = None) -> Composite:
        """The picture from the camera of a photograph: colour (h, w, 3), depth and opacity (h, w).

        supersample: that many rays squared per pixel, averaged; None: the field's own.
        """
        raise NotImplementedError

    def on_object(self, scene: Photographs, seed: int) -> tuple[Composite, Float[Tensor, "n 4"]]:
        """What is shown, with gradients, where photographs show the object; and their RGBA there."""
        raise NotImplementedError

    def _descend(self, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """One step of the optimizer; the loss before it."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def averaged(fine: Composite, size: tuple[int, int], s: int) -> Composite:
    """The picture (h, w) of rays that are s² for each pixel, in rows of h·s times w·s."""
    height, width = size
    blocks = (part.reshape(height, s, width, s, -1) for part in fine)  # s² rays of each pixel
    color, depth, opacity = (part.mean((1, 3)) for part in blocks)  # (h, w, 3 or 1)
    return Composite(color.clamp(0, 1), depth[..., 0], opacity[..., 0])


class RadianceField(Field):
    """A field of density and colour over a region, rendered along rays.

    Subclasses give `pictures`, `density` and `prepare`; `batch` is the number of rays in a step,
    of which `supersample` squared belong to a pixel.
    """

    region: Region
    batch: int

    def pictures(
        self, rays: Rays, background: Float[Tensor, "..."], generator: torch.Generator | None
    ) -> tuple[list[Composite], Float[Tensor, ""] | float]:
        """What rays show: all renderings that are trained, the best last; and the loss besides theirs.

        With a generator the samples are jittered.
        """
        raise NotImplementedError

    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """σ at points of the world, per unit of length."""
        raise NotImplementedError

    def render(self, rays: Rays) -> Composite:
        """Colour, depth and opacity of rays."""
        return self.pictures(rays, self.background, None)[0][-1]

    def learn(self, pixels: PixelSource, generator: torch.Generator) -> Float[Tensor, ""]:
        """One step on random pixels; before a random background each, so that opacity counts too.

        The loss is the mean squared difference of colours, of all pictures together (NeRF eq. 6).
        """
        each = self.supersample**2
        rays, rgba = pixels.batch(self.batch // each, generator, supersample=self.supersample)
        background = self.background.expand(len(rgba), 3)
        if pixels.has_alpha:
            background = torch.rand(len(rgba), 3, generator=generator, device=rgba.device)
        target = over(rgba, background)
        pictures, more = self.pictures(rays, background.repeat_interleave(each, 0), generator)
        colors = [shown.color.unflatten(0, (-1, each)).mean(1) for shown in pictures]  # of pixels
        errors = [F.mse_loss(color, target) for color in colors]
        return self._descend(torch.stack(errors).sum() + more)

    def on_object(self, scene: Photographs, seed: int) -> tuple[Composite, Float[Tensor, "n 4"]]:
        """Random rays through the object (any, where alpha does not tell)."""
        rays, rgba = object_pixels(scene, RAYS, seed)
        return self.render(rays), rgba

    @torch.no_grad()
    def view(self, scene: Photographs, index: int, *, supersample: int | None = None) -> Composite:
        """The picture from the camera of a photograph: colour (h, w, 3), depth and opacity (h, w).

        supersample: that many rays squared per pixel, averaged; None: the field's own.
        """
        one, s = scene.select([index]).to(self.background.device), supersample or self.supersample
        origins, directions = one.rays(0, supersample=s)
        shown = self.render_rays((origins.reshape(-1, 3), directions.reshape(-1, 3)))
        return averaged(shown, scene.size, s)

    @torch.no_grad()
    def render_rays(self, rays: Rays) -> Composite:
        """`render` for many rays, a chunk at a time, without gradients."""
        chunks = zip(*(part.split(CHUNK) for part in rays), strict=True)
        parts = [self.render(chunk) for chunk in chunks]
        return Composite(*(torch.cat(column) for column in zip(*parts, strict=True)))


def scene_background(scene: Photographs) -> Float[Tensor, "3"]:
    """White behind photographs with alpha, else the colour of their borders, or their mean colour."""
    if scene.has_alpha:
        return torch.ones(3, device=scene.images.device)
    color = backdrop(scene)
    return color if color is not None else scene.images[..., :3].float().mean((0, 1, 2)) / 255
