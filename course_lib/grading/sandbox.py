"""The sandbox: bubblewrap around a process that forks the kernels.

bubblewrap starts one `zygote` per grading run, with torch imported: no network, a read-only system,
nothing of the user's files. Each kernel is forked from it into namespaces and limits of its own (see
`zygote`), and speaks to the grader over Unix sockets in a folder below the output folder.
"""

import contextlib
import json
import os
import re
import shutil
import site
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import course_lib

if TYPE_CHECKING:
    from course_lib.exercises.exercise import Exercise

SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/sbin")
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")
"""No terminals, which kernels would share, and no /dev/zero, whose shared memory nothing counts."""
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/run/scratch/home",
    "TMPDIR": "/run/scratch",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "IGL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "CUDA_VISIBLE_DEVICES": "",
    "COURSE_FAST": "1",
    "MPLBACKEND": "agg",
    "NO_COLOR": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
LIMITS = {
    "seconds": 60,
    "processor_seconds": 60,  # of all processes together
    "memory_megabytes": 2048,  # resident, of all processes together
    "address_megabytes": 6144,  # of each process: torch reserves much more than it uses
    "disk_megabytes": 128,
    "processes": 64,
}


class SandboxError(RuntimeError):
    """The sandbox cannot be started here; the text says why."""


class Sandbox:
    """A running zygote in bubblewrap, and the folders that kernels are given from it.

    `folder` holds the sockets; `libraries` holds one copy of the library per exercise, by name.
    """

    current: "Sandbox | None" = None

    def __init__(self, folder: Path, libraries: Path):
        self.folder, self.libraries = folder.resolve(), libraries.resolve()
        (self.folder / "kernels").mkdir(parents=True, exist_ok=True)
        self.libraries.mkdir(parents=True, exist_ok=True)
        self._directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        # A path through the open folder is short whatever the folder's name: sockets allow 107 bytes.
        self._address = f"/proc/self/fd/{self._directory}/zygote"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start bubblewrap; returns before the zygote has imported torch (connections wait)."""
        (self.folder / "zygote").unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._address)
        listener.listen(64)
        command = [*self._bubblewrap(), *self._zygote(listener.fileno())]
        log = open(self.folder / "zygote.log", "wb")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
        )
        listener.close()
        log.close()

    def stop(self) -> None:
        """End the zygote and with it every kernel."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        os.close(self._directory)

    def connect(self, request: dict) -> socket.socket:
        """Ask for a kernel; returns its life line once the kernel is up."""
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(self._address)
            line.sendall((json.dumps(request) + "\n").encode())
            line.settimeout(90)
            answer = json.loads(line.recv(4096) or b'{"event": "gone", "detail": ""}')
        except OSError as error:
            answer = {"event": "gone", "detail": str(error)}
        if answer["event"] != "ready":
            line.close()
            log = (self.folder / "zygote.log").read_text(errors="replace")[-500:]
            raise SandboxError(f"no kernel in the sandbox: {answer} {log}")
        return line

    def socket_path(self, name: str) -> str:
        """The address of a kernel's sockets, for this process and its forks."""
        return f"/proc/self/fd/{self._directory}/kernels/{name}/k"

    def _bubblewrap(self) -> list[str]:
        command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--cap-add", "ALL"]
        command += ["--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts"]
        command += ["--hostname", "sandbox"]
        command += [] if users() else ["--unshare-user"]
        for folder in SYSTEM:
            if os.path.islink(folder):
                command += ["--symlink", os.readlink(folder), folder]
            elif os.path.isdir(folder):
                command += ["--ro-bind", folder, folder]
        for path in ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/ssl/openssl.cnf"):
            command += ["--ro-bind-try", path, path]
        command += ["--tmpfs", "/tmp"]
        for prefix in _python_folders():
            for parent in reversed(Path(prefix).parents[:-1]):
                command += ["--perms", "0755", "--dir", str(parent)]
            command += ["--ro-bind", prefix, prefix]
        for path in _hidden_folders():
            command += ["--tmpfs", path, "--remount-ro", path]
        command += ["--proc", "/proc", "--tmpfs", "/dev", "--dir", "/dev/shm"]
        for device in DEVICES:
            command += ["--dev-bind", device, device]
        command += ["--dir", "/run/kernel", "--dir", "/run/library"]
        command += ["--tmpfs", "/run/scratch"]  # the zygote's own, for matplotlib's list of fonts
        command += ["--bind", str(self.folder / "kernels"), "/run/kernels"]
        command += ["--ro-bind", str(self.libraries), "/run/libraries"]
        command += ["--ro-bind", str(Path(__file__).with_name("confine.py")), "/run/confine.py"]
        command += ["--ro-bind", str(Path(__file__).with_name("zygote.py")), "/run/zygote.py"]
        assets = Path(course_lib.__file__).resolve().parent.parent / "assets"
        if assets.is_dir():
            command += ["--ro-bind", str(assets), str(assets)]
        command += ["--remount-ro", "/dev", "--remount-ro", "/tmp", "--remount-ro", "/"]
        for name, value in ENVIRONMENT.items():
            command += ["--setenv", name, value]
        return [*command, "--chdir", "/", "--"]

    def _zygote(self, listener: int) -> list[str]:
        under_tmp = any(Path(folder).is_relative_to("/tmp") for folder in _python_folders())
        settings = {
            "listener": listener,
            "own_tmp": not under_tmp,
            "one_user": not users(),
            "counts_alone": bool(users()) or _kernel_version() >= (5, 14),
            "socket_bytes": int(Path("/proc/sys/net/core/wmem_default").read_text()),
        }
        start = "import sys; sys.path.insert(0, '/run'); import zygote; zygote.main()"
        return [sys.executable, "-I", "-c", start, json.dumps(settings)]


def _kernel_version() -> tuple[int, ...]:
    """Such as (5, 14)."""
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def users() -> range:
    """The users that kernels can have to themselves, so that the system counts their processes alone;
    none where we are an ordinary user, or root in a container with no other."""
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    first, count = max(((int(w[0]), int(w[2])) for w in map(str.split, lines)), key=lambda r: r[1])
    first, end = max(first, 1 << 10), min(first + count, 1 << 30)
    return range((first + end) // 2, end) if os.getuid() == 0 else range(0)


def _python_folders() -> list[str]:
    """The folders of this Python: its installation, its environment, other places of packages."""
    folders = [os.path.realpath(sys.base_prefix), sys.base_prefix, sys.prefix]
    folders += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    found: list[str] = []
    for folder in map(os.path.abspath, folders):
        known = any(Path(folder).is_relative_to(other) for other in (*SYSTEM, *found))
        if os.path.isdir(folder) and not known:
            found.append(folder)
    return found


def _hidden_folders() -> list[str]:
    """Folders with the course's own text that a mounted folder would show: installed packages."""
    places = [Path(place) for place in (*sys.path, *site.getsitepackages())]
    packages = {Path(course_lib.__file__).resolve().parent}
    packages |= {(place / "course_lib").resolve() for place in places}
    folders = {p.parent if (p.parent / "pyproject.toml").exists() else p for p in packages}
    shown = [Path(os.path.realpath(path)) for path in (*SYSTEM, *_python_folders())]
    return [str(f) for f in folders if f.is_dir() and any(f.is_relative_to(s) for s in shown)]


def unsandboxed() -> bool:
    """True where the instructor chose to grade without a sandbox (an environment variable, so that
    pytest by hand can choose it too)."""
    return os.environ.get("COURSE_UNSANDBOXED") == "1"


def probe() -> str | None:
    """Why no sandbox can be had here, or None where all is well: used by `grade` and `doctor`."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode == 0:
        return None
    return f"bubblewrap does not work here: {result.stderr.strip()[:200]}"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[None]:
    """A sandbox for a grading run; `library_for` adds the libraries."""
    own = Sandbox(folder, folder / "libraries")
    if not unsandboxed():
        own.start()
    Sandbox.current = own
    try:
        yield
    finally:
        Sandbox.current = None
        own.stop()


_own = contextlib.ExitStack()
"""Holds a sandbox that was started because none was running (pytest by hand)."""


def library_for(exercise: "Exercise | None") -> None:
    """See to it that a sandbox runs and that it has the library for an exercise (None: all of it)."""
    if Sandbox.current is None:
        folder = _own.enter_context(tempfile.TemporaryDirectory(prefix="course-sandbox-"))
        _own.enter_context(running(Path(folder)))
    from course_lib.grading.library import WHOLE, make_library

    assert Sandbox.current is not None
    if not (Sandbox.current.libraries / (exercise.name if exercise else WHOLE)).exists():
        make_library(Sandbox.current.libraries, exercise)


def revive() -> None:
    """Start the zygote again if it ended: the system may have killed it where memory was short."""
    current = Sandbox.current
    if current and current._process and current._process.poll() is not None:
        current.start()


def forget(library: str) -> None:
    """Remove a library that no later kernel is to have."""
    if Sandbox.current is not None:
        shutil.rmtree(Sandbox.current.libraries / library, ignore_errors=True)


def stop_own() -> None:
    """End the sandbox that `library_for` started, if it did."""
    _own.close()
