"""Grading submitted notebooks with nbval in a sandbox: `python -m course_lib grade --help`.

A submission's way, and the module that does each step:

    file, folder, zip           submissions   whose notebooks these are (platforms: by the names that
          |                                   Moodle, Canvas and others give to what was handed in)
          v
    the exercises' cells        extract       read as plain data, nothing is run (slicing: what they use)
          |                                   ... in a capped child process (pool)
          |     hidden cases    assemble      plan: cases with secret seeds, the same for the whole class
          |          |          references    what the reference gives on them, run like a submission
          v          v
    a notebook per exercise     assemble      the student's cell, then one per case that prints a value
          |
          v
    pytest --nbval              session       one pytest session per student, a process each (pool)
          |                     plugin        nbval with our kernel, limits, and comparison by tolerance
          |      ______________________________________________________________
          +---> | sandbox       bubblewrap: no network, no files of the user's |
          |     | provisioner   asks for a kernel, holds its life line         |
          |     | zygote        forks it: namespaces, limits, a watch          |
          |     | confine       the system calls for that, and their filter    |
          |     | library       course_lib without what is being graded        |
          | <-- | inside        prints what the student's function gives       |
          |     |______________________________________________________________|
          v
    points, status, feedback    marks         compares outside of the kernel; fixed sentences
          |                     journal       kept at once: a killed run goes on where it was
          v
    one table of all runs       gradebook     overrides, earlier runs, lateness (students: of each)
          |                     similarity, suspicion: what a human should look at
          v
    tables and pages            report, pages, formats (what Moodle and Canvas import)

`cli` reads the command's options, `instructor` the file of cases, points and deadlines. `run` does it
for all submissions, on this machine or with `dask_engine` on many, inside a `workspace`; `gradescope`
makes an autograder of it.
"""

import sys

# jsonschema's optional checker of web addresses builds a grammar for seconds: nothing here needs it.
if "rfc3987_syntax" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # means: cannot be imported
