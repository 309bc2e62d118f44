"""Generated data: `python -m course_lib assets [NAME ...]` remakes it, and checks its hashes."""

import argparse
import hashlib
import importlib
import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "assets"
MANIFEST = FOLDER / "manifest.json"
MAKERS: dict[str, str] = {
    "adult": "course_lib.tabular.rows:make_adult",
    "llm_scores": "course_lib.authoring.llm_scores:make_llm_scores",
    "scene": "course_lib.authoring.scene:make_scene",
    "reconstruction": "course_lib.authoring.checkpoints:make_reconstruction",
}
"""name of a folder in assets -> "module:function", a function that takes that folder and fills it."""


def hashes() -> dict[str, str]:
    """SHA-256 of every file in assets but the manifest, by its path there."""
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path != MANIFEST)
    return {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def make(name: str) -> None:
    """Remake one asset. Raises ValueError if no command makes it."""
    if name not in MAKERS:
        raise ValueError(f"no asset is called {name!r}; there are {', '.join(MAKERS)}")
    module, _, function = MAKERS[name].partition(":")
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    getattr(importlib.import_module(module), function)(folder)


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m course_lib assets`."""
    parser.add_argument("names", nargs="*", help=f"assets to remake: {', '.join(MAKERS)}")
    parser.add_argument("--manifest", action="store_true", help="only write the hashes anew")


def run(options: argparse.Namespace) -> int:
    """Remake the named assets and write the manifest; without names, list what differs from it."""
    for name in options.names:
        make(name)
    if options.names or options.manifest:
        MANIFEST.write_text(json.dumps(hashes(), indent=1) + "\n", encoding="utf-8")
        return 0
    known = json.loads(MANIFEST.read_text(encoding="utf-8"))
    differing = sorted(set(known.items()) ^ set(hashes().items()))
    print("\n".join(f"differs: {path}" for path, _ in differing) or "all assets are as made")
    return 1 if differing else 0
