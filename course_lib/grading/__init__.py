"""Grading submitted notebooks with nbval in a sandbox: `python -m course_lib grade --help`.

From what `submissions` finds, `extract` takes the answers, with what they need (`slicing`); `assemble`
writes a grading notebook per exercise, with the reference's outputs on hidden cases; pytest runs it with
nbval and `plugin`, in a kernel of `sandbox`; `marks` turns what happened into points and feedback; `run`
does that for all students and keeps a journal; `gradebook` joins runs; `report` and `formats` write.
"""

import sys

# jsonschema's optional checker of web addresses builds a grammar for seconds: nothing here needs it.
if "rfc3987_syntax" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # means: cannot be imported
