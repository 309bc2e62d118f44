"""The shown solutions: each runs in its notebook, as pasted, and needs nothing that is not there."""

import ast
import builtins
import doctest
from contextlib import suppress
from functools import cache

import pytest

from course_lib.authoring.notebook import assemble, sources
from course_lib.checking.diagnose import State, examine
from course_lib.checking.sources import solution_source, stub_source
from course_lib.exercises import catalogue, find, written

each_written = pytest.mark.parametrize("exercise", written(), ids=lambda e: e.name)


@cache
def before() -> dict[str, list[ast.stmt]]:
    """For each exercise the top-level statements of the cells before it in its notebook."""
    found = {}
    for source in sources():
        statements: list[ast.stmt] = []
        for cell in assemble(source).cells:
            if cell.cell_type != "code":
                continue
            if cell.id.startswith("ex-"):
                found[cell.id.removeprefix("ex-")] = list(statements)
            statements += ast.parse(without_magics(cell.source)).body
    return found


def without_magics(source: str) -> str:
    return "\n".join(
        line.replace(line.strip(), "pass") if line.strip().startswith("%") else line
        for line in source.splitlines()
    )


def bound(statements: list[ast.stmt]) -> set[str]:
    """The names that statements bind in the notebook, not those inside functions and classes."""
    names: set[str] = set()
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        for child in ast.walk(node):
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                names |= {(a.asname or a.name).split(".")[0] for a in child.names}
            elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                names.add(child.id)
    return names


def free(code: str) -> set[str]:
    """The names that code uses and neither binds itself nor finds in Python."""
    nodes = list(ast.walk(ast.parse(code)))
    used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    own = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    own |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    imports = (n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)))
    own |= {(a.asname or a.name).split(".")[0] for node in imports for a in node.names}
    return used - own - set(vars(builtins))


def namespace(exercise) -> dict:
    """What the notebook has imported and defined before an exercise; its checks have been run."""
    space: dict = {"__name__": "student"}
    for node in before()[exercise.name]:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
            with suppress(NameError):  # a default value that a cell computed
                exec(compile(ast.Module([node], []), "<cell>", "exec"), space)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in catalogue():
                space[node.name] = find(node.name).reference
    return space


@each_written
def test_a_solution_uses_names_that_its_notebook_has(exercise):
    assert free(solution_source(exercise)) - bound(before()[exercise.name]) == set()


@each_written
def test_the_example_of_a_task_uses_names_that_its_notebook_has(exercise):
    docstrings = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(stub_source(exercise)))
                  if isinstance(node, (ast.FunctionDef, ast.ClassDef))]  # fmt: skip
    examples = [e.source for text in docstrings for e in doctest.DocTestParser().get_examples(text)]
    known = bound(before()[exercise.name]) | {exercise.name}
    assert free("".join(examples)) - known == set()


@each_written
def test_a_solution_is_correct_as_pasted(exercise):
    space = namespace(exercise)
    exec(solution_source(exercise), space)
    report = examine(exercise, space[exercise.name])
    assert report.state is State.CORRECT, report.difference


@each_written
def test_a_solution_shows_no_private_helper(exercise):
    names = {
        n.id for n in ast.walk(ast.parse(solution_source(exercise))) if isinstance(n, ast.Name)
    }
    assert [name for name in names if name.startswith("_") and name.strip("_")] == []
