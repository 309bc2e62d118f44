"""Pictures of shapes, each with the shape behind it: the data set of notebook 05.

`SingleView.generate("train", 1600)` makes one from the procedural families, without a download;
`course_lib.data.shapenet_folder.read_folder` fills the same class from a ShapeNet/R2N2 folder.
Splits are made by shape: every view of a shape is on the same side.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from course_lib.data import shape_records
from course_lib.data.shape_records import unpack_bits

SPLITS = {"train": 0, "validation": 1, "test": 2}
WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class SingleView(Dataset):
    """Every shape's fields stacked along a first axis, and the names of the shapes' families.

    Item i is view i % views of shape i // views, as a dictionary of tensors; `batch(indices)` gives
    many at once, with a first axis b:
    image (b, 3, h, w) in [0, 1], composited over `background`; camera (b, 4, 4); depth (b, h, w);
    occupancy (b, r, r, r) float at `resolution` 32 or 64; points, normals (b, n, 3); part_label;
    sdf_points (b, m, 3), sdf (b, m). The frame is the object's own; focal length in pixels.
    """

    fields: dict[str, Tensor]
    names: tuple[str, ...]
    focal: float
    resolution: int = 32
    background: tuple[float, float, float] = WHITE

    @classmethod
    def generate(
        cls,
        split: str,
        count: int,
        *,
        views: int = 4,
        size: int = 64,
        cache: Path | None = None,
    ) -> "SingleView":
        """`count` random shapes of a split, the families in turn, with `views` pictures each.

        Shape i of a split is always the same, whatever the count. With a `cache` folder the result
        is kept there under a name that changes with the code that makes it.
        """
        if split not in SPLITS or count < 1 or views < 1:
            raise ValueError(
                f"expected a split of {tuple(SPLITS)}, count >= 1 and views >= 1, "
                f"got {split!r}, {count} and {views}"
            )
        path = cache and cache / f"{split}-{count}x{views}-{size}-{_fingerprint()}.pt"
        if path and path.exists():
            fields = torch.load(path, mmap=True, weights_only=True)
        else:
            fields = _make_fields(split, count, views, size)
            if path:
                _save(fields, path)
        names = tuple(_family(index) for index in range(count))
        return cls(fields, names, shape_records.FOCAL * size)

    @property
    def views(self) -> int:
        """Pictures per shape."""
        return self.fields["image"].shape[1]

    def __len__(self) -> int:
        return len(self.names) * self.views

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(f"expected an index below {len(self)}, got {index}")
        return {name: value[0] for name, value in self.batch(torch.tensor([index])).items()}

    def batch(self, indices: Tensor, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """The items `indices` (b,), stacked, on a device."""
        shape, view = indices // self.views, indices % self.views
        stored = {
            name: (value[shape, view] if name in PER_VIEW else value[shape]).to(device)
            for name, value in self.fields.items()
            if not name.startswith("occupancy") or name == f"occupancy_{self.resolution}"
        }
        bits = unpack_bits(stored.pop(f"occupancy_{self.resolution}")).float()
        image = composite(stored.pop("image"), self.background)
        rest = {
            name: value.float() if value.dtype == torch.float16 else value
            for name, value in stored.items()
        }
        side = self.resolution
        return {"image": image, "occupancy": bits.reshape(-1, side, side, side)} | rest

    def shape(self, index: int) -> shape_records.Shape:
        """The procedural shape behind shape `index` is not stored; see `make_shape`."""
        raise NotImplementedError


PER_VIEW = ("image", "camera", "depth")


def composite(
    rgba: UInt8[Tensor, "*b 4 h w"], background: tuple[float, float, float] = WHITE
) -> Float[Tensor, "*b 3 h w"]:
    """Colours in [0, 1] over a plain background: α·colour + (1 − α)·background (straight alpha)."""
    values = rgba.float() / 255
    alpha = values[..., 3:, :, :]
    plain = torch.tensor(background, device=rgba.device)[:, None, None]
    return alpha * values[..., :3, :, :] + (1 - alpha) * plain
