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

PRELOAD: tuple[str, ...] = ("numpy", "torch", "jaxtyping", "scipy.spatial", "pandas")
PRELOAD += ("matplotlib.pyplot",)  # without it each kernel would list the fonts again
PRELOAD += ("IPython.core.completerlib", "IPython.core.oinspect", "IPython.extensions.storemagic")
PRELOAD += ("ipykernel.debugger", "ipykernel.kernelapp", "tornado.platform.asyncio")
POLL_SECONDS, MEGABYTE = 0.05, 1 << 20


def main() -> None:
    """Import what every kernel needs, then fork one for each connection."""
    settings = json.loads(sys.argv[1])
    listener = socket.socket(fileno=settings["listener"])
    # None means: cannot be imported; a kernel without it starts much quicker
    sys.modules["debugpy"] = None  # type: ignore[assignment]
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
    try:
        request = json.loads(connection.makefile("r").readline())
        confine.unshare(request["uid"] if settings["one_user"] else None)
        confine.die_with_parent()
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
            _kernel(connection, writable, request, settings["counts_alone"])
        os.close(writable)
        if os.read(readable, 1) == b"r":
            confine.make_read_only("/run/kernel")
            _say(connection, "ready", "")
        os.close(readable)
        _watch(connection, kernel, request, settings["socket_bytes"])
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


def _kernel(connection: socket.socket, ready: int, request: dict, counts_alone: bool) -> None:
    """Become the ordinary user in an empty home, and run a Jupyter kernel there."""
    connection.close()
    log = os.dup(2)
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    try:
        _confine(request, counts_alone)
        _run_kernel(ready, log)
    except Exception:
        os.write(log, traceback.format_exc().encode())
    os._exit(0)


def _confine(request: dict, counts_alone: bool) -> None:
    os.setsid()
    limits = {
        "AS": request["address_megabytes"] * MEGABYTE,
        "CPU": request["seconds"] + 5,
        "FSIZE": request["disk_megabytes"] * MEGABYTE,
        "NOFILE": 256,
        "CORE": 0,
    }
    # Without a count of their own, a limit would count the user's processes outside, too.
    confine.limit(limits | ({"NPROC": request["processes"]} if counts_alone else {}))
    confine.drop_privileges(request["uid"])
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where the machine's memory ends, students' processes go first
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


def _watch(connection: socket.socket, kernel: int, request: dict, socket_bytes: int) -> None:
    """Return when the kernel ended, the grader hung up, or a limit was passed."""
    end = time.monotonic() + request["seconds"]
    while True:
        if select.select([connection], [], [], POLL_SECONDS)[0]:
            return
        while (ended := _ended_child()) != (0, 0):
            if ended[0] == kernel:
                return _say(connection, "ended", str(ended[1]))
        threads, memory, seconds = _used()
        if time.monotonic() > end or seconds > request["processor_seconds"]:
            return _say(connection, "time", "")
        if threads > request["processes"]:
            return _say(connection, "processes", "")
        most = request["memory_megabytes"] * MEGABYTE - _sockets() * socket_bytes
        if memory > most and _shared_out() > most:
            return _say(connection, "memory", "")


def _ended_child() -> tuple[int, int]:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return (0, 0)


def _used() -> tuple[int, int, float]:
    """Threads, memory (bytes; what no file holds, and page tables) and processor time of all
    processes of this kernel but this one.

    Many busy processes would take the time of the students who are graded beside this one.
    """
    threads, kilobytes, ticks = 0, 0, 0
    for name in _processes():
        try:
            fields = _fields(f"/proc/{name}/status")
            with open(f"/proc/{name}/stat") as file:
                ticks += sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
        except OSError:
            continue  # it ended in the meantime
        threads += fields["Threads"]
        kilobytes += sum(fields.get(kind, 0) for kind in ("RssAnon", "RssShmem", "VmPTE"))
    return threads, kilobytes << 10, ticks / os.sysconf("SC_CLK_TCK")


def _shared_out() -> int:
    """The same memory (bytes), but a page that several processes have is theirs in equal parts: forks
    share most of what torch holds. This takes longer to find out."""
    kilobytes = 0
    for name in _processes():
        with contextlib.suppress(OSError):
            fields = _fields(f"/proc/{name}/smaps_rollup")
            kilobytes += fields["Pss"] - fields.get("Pss_File", 0)
            kilobytes += _fields(f"/proc/{name}/status").get("VmPTE", 0)
    return kilobytes << 10


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _fields(path: str) -> dict[str, int]:
    """The numbers in a file of lines such as "RssAnon:  123 kB"."""
    with open(path) as file:
        lines = (line.split() for line in file)
        return {words[0][:-1]: int(words[1]) for words in lines if words[1:] and words[1].isdigit()}


def _sockets() -> int:
    """How many sockets there are in this kernel's network, those on their way in others included."""
    with open("/proc/self/net/sockstat") as file:
        return int(file.readline().split()[2])


def _say(connection: socket.socket, event: str, detail: str) -> None:
    with contextlib.suppress(OSError):  # if the grader has gone, nobody is left to tell
        connection.sendall((json.dumps({"event": event, "detail": detail}) + "\n").encode())


if __name__ == "__main__":
    main()
