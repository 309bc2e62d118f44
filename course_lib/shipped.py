"""Where the files lie that come with the course: pictures, checkpoints, tables, scenes."""

from pathlib import Path


def asset(name: str) -> Path:
    """The path of a shipped file, such as `asset("scene/transforms_train.json")`."""
    here = Path(__file__).parent  # in a checkout assets lie beside the package, installed inside it
    for folder in (here.parent / "assets", here / "assets"):
        if (folder / name).exists():
            return folder / name
    kind = name.split("/")[0]
    raise FileNotFoundError(
        f"assets/{name} is missing; make it with: python -m course_lib assets {kind}"
    )
