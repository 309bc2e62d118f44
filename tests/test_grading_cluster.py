"""Grading on a dask cluster gives the same marks as on one machine."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from grading.notebooks import RIGHT, WRONG, centroid, write

from course_lib.grading import sandbox

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
ROOT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sandbox.probe() is not None, reason=f"no sandbox: {sandbox.probe()}"),
]


@pytest.mark.extra
def test_a_local_cluster_of_two_workers_grades(tmp_path, monkeypatch):
    files = {f"s{i}.ipynb": centroid(RIGHT if i % 2 else WRONG) for i in range(4)}
    write(tmp_path / "submissions", files)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "protocol": "tcp"}
    with distributed.LocalCluster(**workers, dashboard_address=None) as c:
        command = [sys.executable, "-m", "course_lib", "grade", str(tmp_path / "submissions")]
        command += ["--out", str(tmp_path / "out"), "--dask", c.scheduler_address]
        done = subprocess.run(
            [*command, "--exercises", "centroid"],
            env=dict(os.environ),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    with open(tmp_path / "out" / "grades.csv", encoding="utf-8") as file:
        points = {row["student"]: float(row["points"]) for row in csv.DictReader(file)}
    assert points == {f"s{i}": float(i % 2) for i in range(4)}
