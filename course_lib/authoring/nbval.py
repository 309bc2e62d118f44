"""Notebooks run by nbval in fast mode: any error fails, and so does a check that says something new."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

CELL_SECONDS = 300
COLOR = re.compile(r"#x1B\[[\d;]*m")  # as pytest writes escape sequences into its report


def run_nbval(
    notebooks: Sequence[Path],
    *,
    python: str = sys.executable,
    processes: int = 1,
    **environment: str,
) -> subprocess.CompletedProcess:
    """Run pytest --nbval-lax over notebooks of one folder; its output is in the result's stdout."""
    folder = notebooks[0].parent
    command = [python, "-m", "pytest", "--nbval-lax", f"--nbval-cell-timeout={CELL_SECONDS}", "-q"]
    alone = ["-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    workers = ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else []
    fast = {"COURSE_FAST": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [*command, *alone, *workers, *map(str, notebooks)],
        env=os.environ | fast | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def failures(notebooks: Sequence[Path], report: Path, **environment: str) -> dict[str, str]:
    """What nbval says of each notebook of one folder, by name: empty text where every cell passes.

    All run in one process, each in a kernel of its own; `report` is the file that pytest writes.
    """
    environment["PYTEST_ADDOPTS"] = f"--junitxml={report}"
    result = run_nbval(notebooks, processes=1, **environment)
    said: dict[str, list[str]] = {}
    for case in ET.parse(report).iter("testcase") if report.exists() else ():
        faults = [*case.iter("failure"), *case.iter("error")]
        texts = [
            f"{case.get('name')}: {COLOR.sub('', fault.text or '')[-1500:]}" for fault in faults
        ]
        said.setdefault(case.get("classname", ""), []).extend(texts)
    if result.returncode and not any(said.values()):
        said = {}
    nothing = [f"pytest ended with {result.returncode}\n{result.stdout[-3900:]}"]
    return {path.name: "\n".join(said.get(path.name, nothing))[:4000] for path in notebooks}
