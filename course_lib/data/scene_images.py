"""The photographs of a scene: one size, masks, alpha, shrinking."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from course_lib.data.pictures import DYNAMIC, ENDINGS, read_picture, stored_turned
from course_lib.data.scene_json import plain_name

SURE = 20  # half-transparent pixels that would be brighter than their alpha, were it straight


def read_images(
    paths: Sequence[Path], downscale: int, masks: Sequence[Path | None] | None = None
) -> tuple[UInt8[Tensor, "n h w 4"], tuple[int, int]]:
    """The photographs, shrunk by a whole factor, and their (height, width) before.

    Pixels that do not fill a block of downscale² are cut off at the right and at the bottom. What a
    mask shows in black becomes transparent. The pixels are taken as they are stored: that is what
    cameras are calibrated on; a warning counts those whose EXIF data say "turned".
    """
    if downscale < 1:
        raise ValueError(f"expected downscale >= 1, got {downscale}")
    images: list[Tensor] = []
    size = (0, 0)
    for path, mask in zip(paths, masks or [None] * len(paths), strict=True):
        rgba = read_picture(path, upright=False)
        if images and rgba.shape[:2] != size:
            raise ValueError(
                f"{path} is {rgba.shape[1]}x{rgba.shape[0]} where {paths[0].name} is "
                f"{size[1]}x{size[0]}: photographs of one size are expected"
            )
        size = rgba.shape[:2]
        if min(size) < downscale:
            raise ValueError(f"{path}: {size[1]}x{size[0]} pixels cannot be shrunk by {downscale}")
        if mask is not None:
            rgba[..., 3] *= read_mask(mask, size)
        images.append(torch.from_numpy(rgba))
    _say_turned(paths)
    return torch.stack([_shrink(x, downscale) for x in straight(torch.stack(images))]), size


def find_masks(
    folder: Path, paths: Sequence[Path], named: Sequence[str | None] | None = None
) -> list[Path | None]:
    """The mask of each photograph: the one named for it, else one in the folder "masks" or beside it.

    In "masks", or in the photograph's own subfolder there, it is called as the photograph, with
    another ending (a.png) or one more (COLMAP's a.jpg.png). Beside the photograph lies instant-ngp's
    dynamic_mask_a.png. A warning counts the photographs without one, if there are any masks.
    """
    found: list[Path | None] = []
    for path, name in zip(paths, named or [None] * len(paths), strict=True):
        options = [folder / plain_name(str(name))] if name else _usual_masks(folder, path)
        mask = next((option for option in options if option.is_file()), None)
        if name and mask is None:
            raise ValueError(f"{options[0]} is missing: the mask of {path.name}")
        found.append(mask)
    without = found.count(None)
    if without and (without < len(found) or (folder / "masks").is_dir()):
        warnings.warn(
            f"{folder}: {without} of {len(found)} photographs have no mask and are taken whole",
            stacklevel=5,
        )
    return found


def _usual_masks(folder: Path, path: Path) -> list[Path]:
    inside = path.relative_to(folder).parts[1:-1] if folder in path.parents else ()
    names = [f"{path.name}.png", *(path.stem + ending for ending in ENDINGS)]
    places = (folder.joinpath("masks", *inside), folder / "masks")
    return [
        *(place / name for place in places for name in names),
        path.with_name(f"{DYNAMIC}{path.stem}.png"),
    ]


def say_missing(missing: Sequence[str], count: int, source: Path) -> None:
    """A warning that counts the photographs that are named in a file and not there, if any."""
    if missing:
        warnings.warn(
            f"{source}: {len(missing)} of {count} photographs are missing ({missing[0]}, …) and left "
            "out",
            stacklevel=5,
        )


def read_mask(path: Path, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """True where a mask is white (or not 0, if it holds nothing beyond 1), a dynamic one black.

    ValueError names a mask of another size, of labels, or of which only the alpha tells something.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 0 and 1 in 16 bits are a mask as good as any
        rgba = read_picture(path, upright=False)
    if rgba.shape[:2] != size:
        raise ValueError(
            f"{path}: expected a mask of {size[1]}x{size[0]} pixels, as its photograph, "
            f"got {rgba.shape[1]}x{rgba.shape[0]}"
        )
    value = rgba[..., :3].max(axis=2)
    if path.name.startswith(DYNAMIC):
        return value == 0
    largest = int(value.max())
    if 1 < largest <= 127 or (largest == 0 and np.ptp(rgba[..., 3]) > 0):
        got = f"grey up to {largest}: labels?" if largest else "black with a transparent part"
        raise ValueError(f"{path}: expected a mask in black and white without alpha, got {got}")
    return (value > (127 if value.max() > 1 else 0)) & (rgba[..., 3] > 127)


def straight(images: UInt8[Tensor, "n h w 4"]) -> UInt8[Tensor, "n h w 4"]:
    """Colours divided by alpha where they give themselves away as multiplied with it.

    In such photographs no colour exceeds its alpha; straight ones would do so in many
    half-transparent pixels, if they were as bright there as where they are opaque.
    """
    color, alpha = images[..., :3].amax(-1), images[..., 3]
    soft, opaque = (alpha > 0) & (alpha < 255), alpha == 255
    if not bool(soft.any()) or not bool(opaque.any()) or bool((color > alpha + 1)[soft].any()):
        return images
    expected = (color[opaque].double() > alpha[soft].double().median() + 1).double().mean()
    if expected * int(soft.sum()) < SURE:
        return images
    warnings.warn(
        "the colours were multiplied with alpha (none exceeds it) and are divided by it again",
        stacklevel=4,
    )
    divided = images[..., :3].float() * (255 / alpha.clamp(min=1).float())[..., None]
    rgb = divided.round().clamp(max=255).to(torch.uint8)
    return torch.cat([rgb, images[..., 3:]], dim=-1)


def _shrink(rgba: UInt8[Tensor, "h w 4"], downscale: int) -> UInt8[Tensor, "y x 4"]:
    if downscale == 1:
        return rgba
    x = rgba.permute(2, 0, 1).float() / 255  # (4, h, w)
    x = torch.cat([x[:3] * x[3:], x[3:]])  # average what is seen, not what transparency hides
    x = torch.nn.functional.avg_pool2d(x, downscale)
    x = torch.cat([x[:3] / x[3:].clamp(min=1e-6), x[3:]])
    return (x * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()


def _say_turned(paths: Sequence[Path]) -> None:
    turned = [path.name for path in paths if stored_turned(path)]
    if turned:
        warnings.warn(
            f"EXIF data say that {len(turned)} of {len(paths)} photographs ({turned[0]}, …) are "
            "turned; they are taken as stored, as calibration programs do",
            stacklevel=4,
        )
