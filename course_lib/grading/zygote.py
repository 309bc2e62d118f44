"""The process inside the sandbox from which every kernel is forked, with torch imported already.

Standard library and `confine` only at the top: bubblewrap starts this file by its path, and none of
the course is there but the copy of the library that a kernel is given. Each kernel gets namespaces,
file systems, a user and limits of its own, so nothing passes from one student to the next.

A request comes as a line of JSON over a socket; the connection then is the kernel's life line: it
says "ready", later why the kernel ended, and when the grader closes it (or dies) all is killed.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback

import confine

PRELOAD = ("numpy", "torch", "jaxtyping", "IPython.display", "ipykernel.kernelapp")
POLL_SECONDS = 0.05


def main() -> None:
    """Import what every kernel needs, then fork one for each connection."""
    settings = json.loads(sys.argv[1])
    listener = socket.socket(fileno=settings["listener"])
    for module in PRELOAD:
        importlib.import_module(module)
    importlib.import_module("torch").set_num_threads(1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _serve(connection, settings)
        connection.close()


def _serve(connection: socket.socket, settings: dict) -> None:
    """Make the namespaces; stay outside of them, waiting for process 1 of the new ones."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    confine.die_with_parent()
    try:
        request = json.loads(connection.makefile("r").readline())
        confine.unshare()
        child = os.fork()
        if child == 0:
            _first_process(connection, request, settings)
        connection.close()
        os.waitpid(child, 0)
    except Exception as error:
        _say(connection, "failed", repr(error))
    os._exit(0)


def _first_process(connection: socket.socket, request: dict, settings: dict) -> None:
    """Process 1: mount, start the kernel, watch it. When it ends, the system kills all the others."""
    try:
        confine.die_with_parent()
        confine.hide_from_siblings()
        _mount(request, settings)
        readable, writable = os.pipe()
        kernel = os.fork()
        if kernel == 0:
            _kernel(connection, writable, request)
        os.close(writable)
        if os.read(readable, 1) == b"r":
            confine.make_read_only("/run/kernel")
            _say(connection, "ready", "")
        os.close(readable)
        _watch(connection, kernel, request)
    except Exception as error:
        _say(connection, "failed", repr(error))
    os._exit(0)


def _mount(request: dict, settings: dict) -> None:
    """A process list, a home, and the two folders of this kernel; those of others are covered."""
    confine.mount("none", "/", "", confine.RECURSIVE | confine.PRIVATE)
    confine.mount("proc", "/proc", "proc", confine.NO_SUID | confine.NO_DEVICES)
    confine.mount(f"/run/kernels/{request['folder']}", "/run/kernel", "", confine.BIND)
    confine.mount(f"/run/libraries/{request['library']}", "/run/library", "", confine.BIND)
    confine.small_tmpfs("/run/kernels", 1, os.getuid(), read_only=True)
    confine.small_tmpfs("/run/libraries", 1, os.getuid(), read_only=True)
    own = ["/run/scratch", "/dev/shm", *(["/tmp"] if settings["own_tmp"] else [])]
    for folder in own:
        confine.small_tmpfs(folder, request["disk_megabytes"], request["uid"])


def _kernel(connection: socket.socket, ready: int, request: dict) -> None:
    """Become the ordinary user in an empty home, and run a Jupyter kernel there."""
    connection.close()
    log = os.dup(2)
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    try:
        _confine(request)
        _run_kernel(ready, log)
    except Exception:
        os.write(log, traceback.format_exc().encode())
    os._exit(0)


def _confine(request: dict) -> None:
    os.setsid()
    megabytes = 1 << 20
    confine.limit(
        {
            "AS": request["address_megabytes"] * megabytes,
            "CPU": request["seconds"] + 5,
            "FSIZE": request["disk_megabytes"] * megabytes,
            "NPROC": request["processes"],
            "NOFILE": 256,
            "CORE": 0,
        }
    )
    confine.drop_privileges(request["uid"])
    os.mkdir("/run/scratch/home")
    os.chdir("/run/scratch/home")
    with open("/run/scratch/connection.json", "w") as file:
        json.dump(request["connection"], file)
    sys.path.insert(0, "/run/library")
    sys.argv = ["kernel"]


def _run_kernel(ready: int, log: int) -> None:
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(["-f", "/run/scratch/connection.json", "--HistoryManager.enabled=False"])
    os.close(log)
    os.write(ready, b"r")
    os.close(ready)
    app.start()


def _watch(connection: socket.socket, kernel: int, request: dict) -> None:
    """Return when the kernel ended, the grader hung up, or a limit was passed."""
    end = time.monotonic() + request["seconds"]
    while True:
        if select.select([connection], [], [], POLL_SECONDS)[0]:
            return
        while (ended := _ended_child()) != (0, 0):
            if ended[0] == kernel:
                return _say(connection, "ended", str(ended[1]))
        megabytes, seconds = _used()
        if time.monotonic() > end or seconds > request["processor_seconds"]:
            return _say(connection, "time", "")
        if megabytes > request["memory_megabytes"]:
            return _say(connection, "memory", "")


def _ended_child() -> tuple[int, int]:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return (0, 0)


def _used() -> tuple[float, float]:
    """Memory of all processes of this sandbox beyond what files hold, in MB, and their processor time.

    Many busy processes would take the time of the students who are graded beside this one.
    """
    pages, ticks = 0, 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/statm") as file:
                    fields = file.read().split()
                with open(f"/proc/{name}/stat") as file:
                    times = file.read().rpartition(")")[2].split()[11:15]
            except OSError:
                continue  # it ended in the meantime
            pages += int(fields[1]) - int(fields[2])
            ticks += sum(map(int, times))
    megabytes = pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return megabytes, ticks / os.sysconf("SC_CLK_TCK")


def _say(connection: socket.socket, event: str, detail: str) -> None:
    with contextlib.suppress(OSError):  # if the grader has gone, nobody is left to tell
        connection.sendall((json.dumps({"event": event, "detail": detail}) + "\n").encode())


if __name__ == "__main__":
    main()
