"""Notebooks run by nbval in fast mode: any error fails, and so does a check that says something new."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CELL_SECONDS = 300


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
