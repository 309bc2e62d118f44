"""Pictures of shapes, each with the shape behind it: the data set of notebook 05.

`SingleView.generate("train", 1600)` makes one from the procedural families, without a download;
`course_lib.data.shapenet_folder.read_folder` fills the same class from a ShapeNet/R2N2 folder.
Splits are made by shape: every view of a shape is on the same side.
"""

import hashlib
import inspect
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from course_lib.data import shape_records
from course_lib.data.shape_records import VOXELS, describe, unpack_bits
from course_lib.running import Budget
from course_lib.shapes import FAMILIES, Shape, csg, families, make_shape

SPLITS = {"train": 0, "validation": 1, "test": 2}
PER_VIEW = ("image", "camera", "depth")  # fields with an axis of views


@dataclass(frozen=True)
class SingleView(Dataset):
    """Every shape's fields stacked along a first axis, and the shapes' names.

    Item i is view i % views of shape i // views, as a dictionary of tensors; `batch(indices)` gives
    many at once, with a first axis b:
    image (b, 3, h, w) in [0, 1], composited over white; camera (b, 4, 4); depth (b, h, w);
    occupancy (b, 32, 32, 32) float; points, normals (b, n, 3); sdf_points (b, m, 3), sdf (b, m).
    The frame is the object's own; `focal` is in pixels.
    """

    fields: dict[str, Tensor]
    names: tuple[str, ...]
    focal: float

    @classmethod
    def generate(
        cls,
        split: str,
        count: int,
        *,
        views: int = 4,
        points: int = 2048,
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
        path = cache and Path(cache) / f"{split}-{count}-{views}-{points}-{_fingerprint()}.pt"
        if path and path.exists():
            fields = torch.load(path, weights_only=True)
        else:
            fields = _make_fields(split, count, views, points)
            if path:
                _save(fields, path)
        names = tuple(make_nth_shape(split, index).name for index in range(count))
        return cls(fields, names, shape_records.FOCAL * fields["image"].shape[-1])

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
        """The items `indices` (b,), stacked, on a device; half precision becomes single."""
        shape, view = indices // self.views, indices % self.views
        batch = {}
        for name, value in self.fields.items():
            chosen = (value[shape, view] if name in PER_VIEW else value[shape]).to(device)
            batch[name] = chosen.float() if chosen.dtype == torch.float16 else chosen
        bits = unpack_bits(batch["occupancy"])
        batch["occupancy"] = bits.unflatten(1, (VOXELS,) * 3).float()
        batch["image"] = composite(batch["image"])
        return batch


def composite(rgba: UInt8[Tensor, "*b 4 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Colours in [0, 1] over white: α·colour + (1 − α) (straight alpha)."""
    values = rgba.float() / 255
    alpha = values[..., 3:, :, :]
    return alpha * values[..., :3, :, :] + (1 - alpha)


def make_nth_shape(split: str, index: int) -> Shape:
    """The procedural shape behind shape `index` of a split; the families take turns.

    >>> make_nth_shape("test", 1).name
    'table-2000001'
    """
    family = list(FAMILIES)[index % len(FAMILIES)]
    return make_shape(family, SPLITS[split] * 1_000_000 + index)


def _make_fields(split: str, count: int, views: int, points: int) -> dict[str, Tensor]:
    """All fields of all shapes; threads share the work, since torch works outside Python's lock."""

    def make(index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(SPLITS[split] * 1_000_000 + index)
        return describe(make_nth_shape(split, index), generator, views=views, points=points)

    fields: dict[str, Tensor] = {}
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        records = pool.map(make, range(count))
        for index in Budget(count, seconds=3600.0, label=f"{split} set", unit="shapes"):
            for name, value in next(records).items():
                fields.setdefault(name, value.new_zeros(count, *value.shape))[index] = value
    return fields


def _save(fields: dict[str, Tensor], path: Path) -> None:
    """Write aside, then move: an interrupted run leaves no half file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}")
    torch.save(fields, aside)
    aside.replace(path)


def _fingerprint() -> str:
    """Changes when the code that makes the data changes."""
    sources = "".join(inspect.getsource(module) for module in (families, csg, shape_records))
    return hashlib.sha256(sources.encode()).hexdigest()[:8]
