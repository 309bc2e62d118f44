"""The annotations of course_lib agree with each other."""

import subprocess
import sys
from pathlib import Path


def test_the_type_checker_has_no_complaint():
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "mypy"]  # its settings stand in pyproject.toml
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
