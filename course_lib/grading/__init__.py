"""Grading submitted notebooks with nbval in a sandbox: `python -m course_lib grade --help`.

From a submission `extract` takes the text of the exercise cells; `assemble` writes a grading notebook
per exercise, with the reference's outputs on hidden cases; pytest runs it with nbval and `plugin`,
in a kernel of `sandbox`; `marks` turns what happened into points and feedback; `run` does that for
all submissions and keeps a journal; `report` writes the tables and pages.
"""

import sys

# jsonschema's optional checker of web addresses builds a grammar for seconds: nothing here needs it.
if "rfc3987_syntax" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # means: cannot be imported
