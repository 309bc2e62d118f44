"""The commands of the course: python -m course_lib COMMAND (students have `collect` and `doctor`)."""

import argparse
import importlib
import sys

from course_lib.doctor import has_room

COMMANDS = {
    "build": ("course_lib.authoring.build", "run the notebooks' sources into notebooks"),
    "check": ("course_lib.authoring.check", "all that must hold before a commit"),
    "solve": ("course_lib.authoring.solve", "write a notebook with all exercises solved"),
    "grade": ("course_lib.grading.cli", "grade submitted notebooks"),
    "gradescope": ("course_lib.grading.gradescope", "make an autograder for Gradescope"),
    "book": ("course_lib.authoring.book", "write the course as a static site, to read"),
    "release": ("course_lib.authoring.release", "make the package for students"),
    "collect": ("course_lib.checking.collect", "make the file to hand in, and say what is in it"),
    "doctor": ("course_lib.doctor", "say what works on this machine"),
    "assets": ("course_lib.authoring.assets", "remake generated data and check its hashes"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m course_lib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    given = sys.argv[1:] if arguments is None else arguments
    here = {name: line for name, line in COMMANDS.items() if has_room(line[0].split(".")[1])}
    for name, (module_name, text) in here.items():
        own = commands.add_parser(
            name, help=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if given[:1] == [name]:  # import only the command that is called
            module = importlib.import_module(module_name)
            own.description = module.__doc__
            module.configure(own)
    options = parser.parse_args(given)
    return module.run(options)


if __name__ == "__main__":
    raise SystemExit(main())
