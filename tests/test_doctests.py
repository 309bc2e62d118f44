"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import course_lib

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(course_lib.__path__, "course_lib.")
    if not info.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs={"torch": importlib.import_module("torch")})
    assert result.failed == 0
