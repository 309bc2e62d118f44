"""For kernels with IPYTHONDIR=tests/cut: COURSE_CUT=1 stops every training at its second step, as the
time limit or the stop button would; tables note their captions and numbers of rows in COURSE_TABLES.
"""

import json
import os

from course_lib import viz
from course_lib.running import Budget

_table = viz.table


def _noted(rows, header, caption):
    with open(os.environ["COURSE_TABLES"], "a", encoding="utf-8") as file:
        file.write(json.dumps([caption, len(rows)]) + "\n")
    return _table(rows, header, caption)


viz.table = _noted
if os.environ.get("COURSE_CUT") == "1":
    Budget._is_over = lambda self: self.done in (2, self.steps)
