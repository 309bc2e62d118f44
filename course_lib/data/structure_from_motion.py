"""Cameras from photographs alone: structure from motion by COLMAP, for pictures from a phone.

Needs `pycolmap` (`pip install pycolmap`), which the course does not install by itself. Features of every
photograph (SIFT) are matched between all pairs, and cameras and points are found together by bundle
adjustment (Schönberger and Frahm 2016).

| what | how |
|---|---|
| photographs of one size in the folder, or in its folder "images"; alpha | read |
| EXIF orientation | obeyed, if all are of one size then; else the pixels are taken as stored |
| EXIF focal length | where the search for the focal length starts |
| photographs that find no place | left out, and named in the report |
| fewer than 3 photographs, several sizes, scenes of which under half finds a place | refused |
| HEIC files, films | refused, with what to do |
| what was found | kept in the folder "posed", and used until the photographs change |
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from course_lib.data.pictures import list_pictures, read_picture

LONGEST = 1000  # pixels: larger photographs cost time and bring hardly any precision
BLURRED = 1.2  # pixels of error from which photographs are blurred, or things have moved


@dataclass(frozen=True)
class Report:
    """How well the photographs fit together: names, and the mean reprojection error in pixels."""

    registered: tuple[str, ...]
    missing: tuple[str, ...]
    error: float
    points: int

    @property
    def doubtful(self) -> bool:
        """Whether photographs are missing, or the error is that of blurred ones."""
        return bool(self.missing) or self.error > BLURRED

    def __str__(self) -> str:
        count = len(self.registered) + len(self.missing)
        found = f"{len(self.registered)} of {count} photographs have found their place"
        lines = [f"{found}, with {self.points} points and an error of {self.error:.2f} pixels."]
        lines += [f"Not {name}: {self._advice(name)}." for name in self.missing]
        if self.error > BLURRED:
            lines.append("The error is large: were some blurred, or has something moved?")
        return "\n".join(lines)

    def _advice(self, name: str) -> str:
        before = max((other for other in self.registered if other < name), default=None)
        after = min((other for other in self.registered if other > name), default=None)
        if before and after:
            return f"take more between {before} and {after}, each sharing two thirds with the next"
        return f"take more on the way to {before or after}, each sharing two thirds with the next"


def find_cameras(folder: Path | str) -> tuple[Path, Report]:
    """The folder of a COLMAP model of these photographs ("posed" inside `folder`), and how good it is.

    FileNotFoundError if there are no photographs or pycolmap is not installed, ValueError if the
    photographs cannot be put together; both say what to do.
    """
    folder = Path(folder)
    paths = list_pictures(folder / "images") or list_pictures(folder)
    if not paths:
        raise FileNotFoundError(f"{folder} holds no photographs{_remedy(folder)}")
    posed, stamp = folder / "posed", [[p.name, p.stat().st_size] for p in paths]
    if (known := _read(posed / "report.json")) and known.get("photographs") == stamp:
        names = (tuple(known["registered"]), tuple(known["missing"]))
        return posed, Report(*names, known["error"], known["points"])
    if len(paths) < 3:
        raise ValueError(f"{folder}: expected 3 photographs or more, got {len(paths)}")
    try:
        import pycolmap
    except ImportError:
        raise FileNotFoundError(
            f"{folder} holds {len(paths)} photographs and no cameras; `pip install pycolmap`, and the "
            "cameras are found from the photographs"
        ) from None
    shutil.rmtree(posed, ignore_errors=True)
    (posed / "images").mkdir(parents=True)
    copies = _copies(paths, posed / "images")
    model = _reconstruct(pycolmap, posed, copies)
    report = _report(model, copies, folder)
    (posed / "sparse/0").mkdir(parents=True)
    model.write(str(posed / "sparse/0"))
    (posed / "report.json").write_text(json.dumps({"photographs": stamp, **asdict(report)}))
    return posed, report


def _remedy(folder: Path) -> str:
    endings = {path.suffix.lower() for path in folder.glob("*")}
    if endings & {".heic", ".heif"}:
        return " that can be read: export the HEIC files as JPEG"
    if endings & {".mp4", ".mov", ".avi", ".mkv"}:
        return ": take two or three frames a second from the film, for instance with ffmpeg -r 2"
    return ""


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _copies(paths: Sequence[Path], target: Path) -> list[str]:
    """The photographs, small enough and of one size, with what EXIF says of the lens; their names."""
    from PIL import Image

    for upright in (True, False):
        shapes = {read_picture(path, upright=upright).shape[:2]: path for path in paths}
        if len(shapes) == 1:
            break
    else:
        listed = ", ".join(f"{path.name} {w}x{h}" for (h, w), path in shapes.items())
        raise ValueError(f"expected photographs of one size, got {listed}")
    for path in paths:
        image = Image.fromarray(read_picture(path, upright=upright))
        if image.getextrema()[3] == (255, 255):
            image = image.convert("RGB")
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        with Image.open(path) as original:
            exif = original.getexif()
        exif.pop(0x0112, None)  # the orientation is done
        image.save(target / f"{path.name}.png", exif=exif)
    return sorted(f"{path.name}.png" for path in paths)


def _reconstruct(pycolmap: Any, posed: Path, names: list[str]) -> Any:
    """The largest model that COLMAP finds."""
    from tqdm import tqdm

    pycolmap.logging.minloglevel = 2
    pycolmap.set_random_seed(0)
    database, images = posed / "database.db", posed / "images"
    single = pycolmap.CameraMode.SINGLE
    with tqdm(total=2 * len(names) + 1, desc="finding cameras", unit=" steps") as bar:
        for name in names:
            pycolmap.extract_features(database, images, [name], camera_mode=single)
            bar.update()
        pycolmap.match_exhaustive(database)
        bar.update()
        models = pycolmap.incremental_mapping(
            database, images, posed / "models", _options(pycolmap), next_image_callback=bar.update
        )
        bar.update(bar.total - bar.n)
    database.unlink()
    shutil.rmtree(posed / "models", ignore_errors=True)
    return max(models.values(), key=lambda model: model.num_reg_images(), default=None)


def _options(pycolmap: Any) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.min_model_size, options.random_seed = 3, 0
    return options


def _report(model: Any, names: list[str], folder: Path) -> Report:
    found = model.reg_image_ids() if model else []
    names = [name.removesuffix(".png") for name in names]
    registered = tuple(sorted(model.image(i).name.removesuffix(".png") for i in found))
    if len(registered) < max(3, len(names) / 2):
        raise ValueError(
            f"{folder}: {len(registered)} of {len(names)} photographs fit together. Photograph a thing "
            "with texture that neither moves nor shines, in steps of ten degrees or less, sharply"
        )
    missing = tuple(name for name in names if name not in registered)
    error = float(model.compute_mean_reprojection_error())
    return Report(registered, missing, error, int(model.num_points3D()))
