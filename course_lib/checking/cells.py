"""What a cell of a notebook says: is there an answer in it, which one, and is it the same as before?"""

import ast
import contextlib
import hashlib
import inspect
import linecache
import re
from typing import Any


def fingerprint(answer: Any) -> str:
    """A hash of an answer: of the cell that defines it, layout and comments apart, or of its value."""
    try:
        return _fingerprint(answer)
    except Exception:  # an object that cannot even be shown
        return ""


def _fingerprint(answer: Any) -> str:
    if not callable(answer):
        return _hash(repr(answer))
    answer = inspect.unwrap(answer)
    parts = [answer, getattr(answer, "func", None)]  # a function, a partial, a class
    parts += vars(answer).values() if isinstance(answer, type) else []
    codes = [part.__code__ for part in parts if inspect.isfunction(part)]
    text = "".join(linecache.getlines(codes[0].co_filename)) if codes else ""
    return text_fingerprint(text) if text else _hash(re.sub(r" at 0x\w+", "", repr(answer)))


def text_fingerprint(cell: str) -> str:
    """The fingerprint of the functions and classes that a cell with this text defines."""
    with contextlib.suppress(SyntaxError, ValueError):
        cell = ast.unparse(ast.parse(cell))
    return _hash(cell)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
