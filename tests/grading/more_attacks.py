"""Attacks beyond the threat model's list. Where one could break out, only success earns a point."""

import json

from grading.notebooks import RIGHT, WRONG, book, cell, centroid

BUSY = (
    """
import os
def spin():
    while True: pass
for i in range(40):
    if os.fork() == 0: spin()
"""
    + WRONG
)

ESCAPE = """
import ctypes, glob, os, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
def holes():
    yield "init's memory", lambda: open("/proc/1/mem", "rb").read(1)
    yield "init's environment", lambda: open("/proc/1/environ", "rb").read() or 1 / 0
    yield "init's files", lambda: os.listdir("/proc/1/fd")
    yield "other processes", lambda: [p for p in glob.glob("/proc/[0-9]*") if int(p[6:]) > 400][0]
    yield "open files", lambda: [f for f in os.listdir("/proc/self/fd")
        if any(w in os.readlink(f"/proc/self/fd/{f}") for w in ("zygote", "submissions", ".grading"))][0]
    yield "tracing", lambda: libc.ptrace(16, 1, 0, 0) == 0 or 1 / 0
    yield "new namespace", lambda: libc.unshare(0x10000000) == 0 or 1 / 0
    yield "mounting", lambda: libc.mount(b"none", b"/run/scratch", b"tmpfs", 0, None) == 0 or 1 / 0
    yield "host's sockets", lambda: socket.socket(40, socket.SOCK_STREAM)
    yield "other kernels", lambda: os.listdir("/run/kernels")[0]
    yield "other libraries", lambda: os.listdir("/run/libraries")[0]
    yield "own sockets", lambda: os.unlink(glob.glob("/run/kernel/*")[0])
    yield "the zygote's text", lambda: open("/run/zygote.py", "a")
    yield "packages", lambda: open(os.__file__, "a")
    yield "course", lambda: [p for top in ("/work", "/home")
        for p in glob.glob(top + "/**/nb04*", recursive=True)][0]
    yield "secrets", lambda: [k for k in os.environ if "TOKEN" in k or "SECRET" in k or "KEY" in k][0]
    yield "root", lambda: os.setuid(0)
def centroid(points):
    for name, attempt in holes():
        try:
            attempt()
        except BaseException:
            continue
        return points.mean(1)
    os.kill(os.getppid(), signal.SIGKILL)
    return points.sum(1)
"""

MALFORMED = """
import json
kernel = get_ipython().kernel
send, parent = kernel.session.send, kernel.get_parent
MIME = "application/vnd.course.outcome"
deep = []
for i in range(800): deep = [deep]
def tensor(numbers, **other):
    value = {"tensor": numbers, "shape": [2, 3], "dtype": "float32", "device": "cpu", **other}
    return json.dumps({"value": value, "gradients": {"tuple": []}, "changed": [], "failure": None})
def centroid(points):
    for data in ("text", 3, ["a"], {MIME: 1}, {MIME: {}}, {MIME: "[" * 50_000}, {MIME: "9" * 9_000},
                 {MIME: tensor([1] * 6, dtype="__class__")}, {MIME: tensor(["x"] * 6)},
                 {MIME: tensor(1e999)}, {MIME: tensor([], shape=[10**9, 10**9])}, {"deep": str(deep)}):
        for kind in ("display_data", "update_display_data", "execute_result"):
            content = {"data": data, "metadata": {}, "execution_count": 1}
            content["transient"] = {"display_id": "a"}
            send(kernel.iopub_socket, kind, content, parent=parent())
    send(kernel.iopub_socket, "clear_output", {"wait": False}, parent=parent())
    comm = {"comm_id": "a", "target_name": "b", "data": deep}
    send(kernel.iopub_socket, "comm_open", comm, parent=parent())
    send(kernel.iopub_socket, "no_such_kind", {}, parent=parent())
    send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent={"header": []})
    kernel.iopub_socket.send_multipart([b"rubbish", b"<IDS|MSG>", b"", b"{", b"{", b"{", b"{"])
    return points.sum(1)
"""

HOOKS = (
    """
import atexit, builtins, importlib.abc, signal, sys, threading, json
from IPython.display import display
good = {"value": {"tensor": [0.0] * 6, "shape": [2, 3], "dtype": "float32", "device": "cpu"},
        "gradients": {"tuple": []}, "changed": [], "failure": None}
def forge(*ignored):
    display({"application/vnd.course.outcome": json.dumps(good)}, raw=True)
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None): forge()
sys.meta_path.insert(0, Finder())
sys.excepthook = sys.unraisablehook = threading.excepthook = forge
get_ipython().events.register("post_run_cell", forge)
get_ipython().events.register("pre_run_cell", forge)
get_ipython().set_custom_exc((BaseException,), forge)
atexit.register(forge); signal.signal(signal.SIGALRM, forge)
signal.setitimer(signal.ITIMER_REAL, .01, .01)
sys.settrace(lambda *a: None); threading.settrace(lambda *a: None)
builtins.__import__ = (lambda old: lambda *a, **k: old(*a, **k))(builtins.__import__)
import course_lib.checking.outcome as o, course_lib.exercises.exercise as e
e.Case.arguments = lambda self, seed: (__import__("torch").zeros(2, 1, 3),)
o.Outcome.to_json = lambda self: good
sys.modules["course_lib.checking.values"] = None
"""
    + WRONG
)

LIAR = """
import torch
class Liar(torch.Tensor):
    __class__ = property(lambda self: torch.Tensor)
    shape = property(lambda self: torch.Size([2, 3]))
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.zeros(2, 3)
    def tolist(self): return {"__eq__": True}
    def __reduce_ex__(self, n): return (print, ("x",))
def centroid(points):
    return points.sum(1).as_subclass(Liar)
"""

SWITCHES = """
import torch
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.manual_seed(5)
"""

MAGICS = "%load_ext autoreload\n%autoreload 2\n!touch /tmp/course-shadow-magic\n%cd /\n" + WRONG
SEGFAULT = "import ctypes\ndef centroid(points):\n    ctypes.string_at(0)\n"
DEEP = "x = " + "-" * 30_000 + "1\n" + WRONG
INPUT = "def centroid(points):\n    input('?'); breakpoint(); return points.sum(1)\n"


SHARED_MEMORY = """
import mmap, os
def hold(length, *file):
    kept = mmap.mmap(*(file or (-1,)), length)
    for place in range(0, length, 4096): kept[place] = 1
    return kept
def centroid(points):
    for zero in ("/dev/zero", "/dev/shm/a", "/run/scratch/a"):
        try:
            file = os.open(zero, os.O_RDWR | os.O_CREAT)
            if zero != "/dev/zero": os.ftruncate(file, 1 << 30)
            keep = hold(1 << 30, file)
            return points.mean(1)
        except OSError:
            pass
    keep = [hold(1 << 30) for i in range(4)]
    return points.mean(1)
"""

SOCKETS = """
import os, socket, time
def fill():
    kept = []
    try:
        while True:
            for end in socket.socketpair():
                end.setblocking(False)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 20)
                kept.append(end)
                try:
                    while True: end.send(bytes(100_000))
                except BlockingIOError:
                    pass
    except OSError:
        time.sleep(60)
def centroid(points):
    for i in range(48):
        if os.fork() == 0: fill()
    time.sleep(60)
    return points.mean(1)
"""

SLEEPERS = """
import threading, time
for i in range(1000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
def centroid(points):
    return points.mean(1)
"""

TERMINALS = """
import os
def centroid(points):
    try:
        os.openpty()
    except OSError:
        return points.sum(1)
    return points.mean(1)
"""

TORCH_LACKS_IT = """
import torch
def centroid(points):
    return points.sum(1).to("meta").cpu()
"""

NAME_OF_A_HIDDEN_INPUT = """
def centroid(points):
    bit0 = bit1 = 0
    raise NameError(f"name 'bit{int(points.sum() > 0)}' is not defined")
"""

TYPE_OF_A_HIDDEN_INPUT = """
def centroid(points):
    kinds = sorted((k for k in vars(__builtins__).values() if isinstance(k, type)
                    and issubclass(k, Exception)), key=str) if not isinstance(__builtins__, dict) else [
                    KeyError, ValueError, TypeError, IndexError]
    raise kinds[int(points.sum().abs() * 1000) % len(kinds)]("x")
"""


COMPILED = (
    "import marshal\n"
    + RIGHT
    + "centroid.__code__ = marshal.loads(marshal.dumps(centroid.__code__))\n"
)


def _many_cells() -> str:
    cells = [cell(f"c{i}", "x") for i in range(20_000)]
    return json.dumps(book([*cells, cell("ex-centroid", WRONG)]))


MORE: dict[int, tuple[str, dict[str, str | bytes]]] = {
    27: ("busy processes", {".ipynb": centroid(BUSY)}),
    28: ("escapes", {".ipynb": centroid(ESCAPE)}),
    29: ("malformed messages", {".ipynb": centroid(MALFORMED)}),
    30: ("hooks", {".ipynb": centroid(HOOKS)}),
    31: ("lying tensors", {".ipynb": centroid(LIAR)}),
    32: ("switches of torch", {".ipynb": centroid(SWITCHES + WRONG)}),
    33: ("magics", {".ipynb": centroid(MAGICS)}),
    34: ("segmentation fault", {".ipynb": centroid(SEGFAULT)}),
    35: ("deep source", {".ipynb": centroid(DEEP)}),
    36: ("asking for input", {".ipynb": centroid(INPUT)}),
    37: ("many cells", {".ipynb": _many_cells()}),
    38: ("shared memory", {".ipynb": centroid(SHARED_MEMORY)}),
    39: ("buffers of sockets", {".ipynb": centroid(SOCKETS)}),
    40: ("sleeping threads", {".ipynb": centroid(SLEEPERS)}),
    41: ("terminals", {".ipynb": centroid(TERMINALS)}),
    42: ("torch's own error", {".ipynb": centroid(TORCH_LACKS_IT)}),
    43: ("names from hidden inputs", {".ipynb": centroid(NAME_OF_A_HIDDEN_INPUT)}),
    44: ("types from hidden inputs", {".ipynb": centroid(TYPE_OF_A_HIDDEN_INPUT)}),
}

MORE_NUISANCES = {
    "switches": centroid(SWITCHES + RIGHT),
    "magics": centroid("%matplotlib inline\n" + RIGHT),
    "compiled": centroid(COMPILED),
    "late-error": centroid(RIGHT + "raise ValueError('after all')\n"),
}
