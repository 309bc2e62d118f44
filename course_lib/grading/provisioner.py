"""The sandbox as a Jupyter kernel provisioner: kernels that the zygote forks, or, where the instructor
insists, plain ones."""

import asyncio
import json
import os
import random
import shutil
import socket
import sys
import tempfile
from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import (
    KernelProvisionerBase,
    KernelProvisionerFactory,
    LocalProvisioner,
)
from traitlets import Unicode

from course_lib.grading.sandbox import (
    ENVIRONMENT,
    LIMITS,
    Sandbox,
    SandboxError,
    unsandboxed,
    users,
)

NAME, OPEN = "course-sandbox", "course-open"


class SandboxProvisioner(KernelProvisionerBase):
    """Starts a kernel in the sandbox. `library` names the copy of the library, `limits` is JSON."""

    library = Unicode("full")
    limits = Unicode("{}")

    _line: socket.socket | None = None
    _buffer = b""
    ended = ""
    """Why the kernel ended: "", "ended", "time", "memory", "processes", "gone"."""

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
        uid = random.choice(own) if (own := users()) else os.getuid()
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
    """Make the provisioner known to jupyter_client, whether the package is installed or not."""
    group = KernelProvisionerFactory.GROUP_NAME
    for name, kind in ((NAME, SandboxProvisioner), (OPEN, OpenProvisioner)):
        entry = EntryPoint(name, f"{__name__}:{kind.__name__}", group)
        KernelProvisionerFactory.instance().provisioners[name] = entry
