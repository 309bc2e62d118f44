"""The sandbox as a Jupyter kernel provisioner: bubblewrap around a process that forks the kernels.

bubblewrap starts one `zygote` per grading run, with torch imported: no network, a read-only system,
nothing of the user's files. Each kernel is forked from it into namespaces and limits of its own (see
`zygote`), and speaks to the grader over Unix sockets in a folder below the output folder.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import site
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import (
    KernelProvisionerBase,
    KernelProvisionerFactory,
    LocalProvisioner,
)
from traitlets import Unicode

import course_lib

if TYPE_CHECKING:
    from course_lib.exercises.exercise import Exercise

NAME, OPEN = "course-sandbox", "course-open"
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/sbin")
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


def available() -> bool:
    """True where bubblewrap is installed."""
    return sys.platform == "linux" and shutil.which("bwrap") is not None


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
        as_root = os.getuid() == 0
        command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--cap-add", "ALL"]
        command += ["--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts"]
        command += ["--hostname", "sandbox"]
        command += [] if as_root else ["--unshare-user"]
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
        command += ["--proc", "/proc", "--dev", "/dev"]
        command += ["--dir", "/run/kernel", "--dir", "/run/library", "--dir", "/run/scratch"]
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
        settings = json.dumps({"listener": listener, "own_tmp": not under_tmp})
        start = "import sys; sys.path.insert(0, '/run'); import zygote; zygote.main()"
        return [sys.executable, "-I", "-c", start, settings]


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


class SandboxProvisioner(KernelProvisionerBase):
    """Starts a kernel in the sandbox. `library` names the copy of the library, `limits` is JSON."""

    library = Unicode("full")
    limits = Unicode("{}")

    _line: socket.socket | None = None
    _buffer = b""
    ended = ""
    """Why the kernel ended: "", "ended", "time", "memory", "gone"."""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose addresses; there is no command, for the zygote forks."""
        self._sandbox = Sandbox.current
        if self._sandbox is None:
            raise SandboxError("no sandbox is running")
        self._name = f"{os.getpid():x}{random.getrandbits(40):010x}"
        self._folder = self._sandbox.folder / "kernels" / self._name
        self._folder.mkdir()
        manager = self.parent
        manager.transport, manager.ip = "ipc", self._sandbox.socket_path(self._name)
        ports = ("shell", "iopub", "stdin", "hb", "control")
        for number, channel in enumerate(ports, start=1):
            setattr(manager, f"{channel}_port", number)
        self.connection_info = manager.get_connection_info()
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict:
        """Ask for the kernel and wait until its sockets are there; then lock their folder."""
        self._folder.chmod(0o777)
        assert self._sandbox is not None
        self._line = self._sandbox.connect(self._request())
        self._folder.chmod(0o755)
        self._line.setblocking(False)
        return self.connection_info

    def _request(self) -> dict:
        info = {**self.connection_info, "ip": "/run/kernel/k"}
        info["key"] = info["key"].decode()
        uid = random.randrange(1 << 20, 1 << 30) if os.getuid() == 0 else os.getuid()
        request = {"folder": self._name, "library": self.library, "uid": uid, "connection": info}
        return LIMITS | json.loads(self.limits) | request

    @property
    def has_process(self) -> bool:
        """True while the life line is open on this side."""
        return self._line is not None

    async def poll(self) -> int | None:
        """None while the kernel runs, else 1."""
        if self._line is None:
            return 1
        try:
            self._buffer += self._line.recv(4096)
        except BlockingIOError:
            return None
        event = json.loads(self._buffer.decode() or '{"event": "gone"}')
        self.ended = event["event"]
        self._close()
        return 1

    async def wait(self) -> int | None:
        """Wait for the end."""
        while await self.poll() is None:
            await asyncio.sleep(0.02)
        return 1

    async def send_signal(self, signum: int) -> None:
        """Nothing but killing is offered."""
        if signum == 9:
            self._close()

    async def kill(self, restart: bool = False) -> None:
        """Hang up: process 1 of the kernel's namespace ends, and the system kills the rest."""
        self._close()

    terminate = kill

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the folder of the sockets."""
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class OpenProvisioner(LocalProvisioner):
    """A plain local kernel, for machines without bubblewrap, if the instructor insists."""

    library = Unicode("full")
    limits = Unicode("{}")
    ended = ""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """An empty folder to work in, and the exercise's copy of the library."""
        kwargs = await super().pre_launch(**kwargs)
        self._home = tempfile.mkdtemp(prefix="course-kernel-")
        assert Sandbox.current is not None
        library = str(Sandbox.current.libraries / self.library)
        environment = {**os.environ, **ENVIRONMENT, "PATH": os.environ["PATH"]}
        environment |= {"PYTHONPATH": library, "HOME": self._home, "TMPDIR": self._home}
        kwargs |= {"cwd": self._home, "env": environment}
        return kwargs

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the folder."""
        await super().cleanup(restart)
        shutil.rmtree(self._home, ignore_errors=True)


def unsandboxed() -> bool:
    """True where the instructor chose to grade without a sandbox (an environment variable, so that
    pytest by hand can choose it too)."""
    return os.environ.get("COURSE_UNSANDBOXED") == "1"


def kernel_spec(library: str, limits: dict) -> KernelSpec:
    """The kernel that grading notebooks get, whatever kernel they name."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    config = {"library": library, "limits": json.dumps(limits)}
    name = OPEN if unsandboxed() else NAME
    return KernelSpec(
        argv=command if unsandboxed() else [],
        display_name="Grading",
        language="python",
        interrupt_mode="message",
        metadata={"kernel_provisioner": {"provisioner_name": name, "config": config}},
    )


def register() -> None:
    """Make the provisioner known to jupyter_client, also where the package is not installed."""
    group = KernelProvisionerFactory.GROUP_NAME
    for name, kind in ((NAME, SandboxProvisioner), (OPEN, OpenProvisioner)):
        entry = EntryPoint(name, f"{__name__}:{kind.__name__}", group)
        KernelProvisionerFactory.instance().provisioners.setdefault(name, entry)


def probe() -> str | None:
    """Why no sandbox can be had here, or None where all is well: used by `grade` and `doctor`."""
    if not available():
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


_own: Sandbox | None = None
"""A sandbox that was started because none was running (pytest by hand)."""


def library_for(exercise: "Exercise | None") -> None:
    """See to it that a sandbox runs and that it has the library for an exercise (None: all of it)."""
    global _own
    if Sandbox.current is None:
        folder = Path(tempfile.mkdtemp(prefix="course-sandbox-"))
        _own = Sandbox.current = Sandbox(folder, folder / "libraries")
        if not unsandboxed():
            _own.start()
    from course_lib.grading.library import WHOLE, make_library

    if not (Sandbox.current.libraries / (exercise.name if exercise else WHOLE)).exists():
        make_library(Sandbox.current.libraries, exercise)


def forget(library: str) -> None:
    """Remove a library that no later kernel is to have."""
    if Sandbox.current is not None:
        shutil.rmtree(Sandbox.current.libraries / library, ignore_errors=True)


def stop_own() -> None:
    """End the sandbox that `library_for` started, if it did."""
    global _own
    if _own is not None:
        _own.stop()
        shutil.rmtree(_own.folder, ignore_errors=True)
        _own = Sandbox.current = None
