"""Grading as an ordinary user, also where the tests run as root and the user cannot see Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

USER = 4321
IN_VIEW = """
set -e
mount --bind "$1" "$2"
mount -t tmpfs -o mode=755 none "$3"
mkdir -p "$1"
mount --bind "$2" "$1"
shift 3
exec "$@"
"""


def as_ordinary_user(folder: Path, command: list[str]) -> list[str]:
    """The command as an ordinary user runs it, who gets the folder. Skips where that is impossible."""
    if os.getuid() != 0:
        return command
    missing = [name for name in ("setpriv", "unshare") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no ordinary user can be made: {missing[0]} is not installed")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    user = [*_view(), *user, "env", f"HOME={folder}", f"TMPDIR={folder}"]
    probe = [
        *user,
        sys.executable,
        "-c",
        "import torch, course_lib.grading.sandbox as s; s.probe()",
    ]
    tried = subprocess.run(probe, cwd=folder, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"an ordinary user cannot run this Python: {tried.stderr.strip()[-200:]}")
    return [*user, *command]


def _view() -> list[str]:
    """A prefix that shows Python to others where it lies in root's home: in mounts of its own."""
    home = Path(sys.base_prefix).resolve()
    closed = [path for path in reversed(home.parents) if path.stat().st_mode & 0o005 != 0o005]
    if not closed:
        return []
    shown = home.relative_to(closed[0]).parts[0]
    arguments = [str(closed[0] / shown), "/mnt", str(closed[0])]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_VIEW, "sh", *arguments]
