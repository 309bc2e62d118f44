"""What an exercise is: its reference, its cases, and the mistakes that students make in it."""

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Case:
    """One input of an exercise.

    `make(generator)` returns the tuple of positional arguments; the same seed gives the same
    arguments, and others to cases of other names. A case that draws its numbers from `generator` is
    also used with other seeds for grading; a hand-made one, which ignores it, is marked `fixed` and
    only shown to students.
    """

    name: str
    make: Callable[[torch.Generator], tuple]
    fixed: bool = False

    def arguments(self, seed: int) -> tuple:
        """The arguments for a seed."""
        own = zlib.crc32(self.name.encode())
        return self.make(torch.Generator().manual_seed(own + seed))


@dataclass(frozen=True)
class Misconception:
    """A wrong implementation such as students write, and what to tell its author."""

    name: str
    wrong: Any
    message: str


def mistakes(table: dict[str, tuple[Any, str]]) -> tuple[Misconception, ...]:
    """Misconceptions from a table: name -> (what such a student writes, what to tell them)."""
    return tuple(Misconception(name, wrong, text) for name, (wrong, text) in table.items())


@dataclass(frozen=True)
class Tolerance:
    """Numbers agree if |got - expected| <= absolute + relative * |expected|."""

    relative: float = 1e-4
    absolute: float = 1e-5


def call_directly(candidate: Callable, *arguments: Any) -> Any:
    """The default way to run a candidate: call it."""
    return candidate(*arguments)


@dataclass(frozen=True)
class Exercise:
    """An entry of the catalogue: a function or class to write.

    `reference` is the library's own function or class, and `name` is its name.
    `call(candidate, *arguments)` says how a candidate is run on a case, where calling it is not
    enough (a class to build first, say). `gradients` names the parameters in which the result must be
    differentiable: its derivatives count too. `starter` replaces the generated stub where students
    need more than a signature. The catalogue gives the `number`, by the place in `ORDER`.
    """

    name: str
    reference: Any
    cases: tuple[Case, ...] = ()
    misconceptions: tuple[Misconception, ...] = ()
    hints: tuple[str, ...] = ()
    points: int = 1
    tolerance: Tolerance = field(default_factory=Tolerance)
    gradients: tuple[str, ...] = ()
    seconds: float = 10.0
    call: Callable = call_directly
    starter: str | None = None
    explanation: str = ""
    number: str = ""

    @property
    def notebook(self) -> str:
        """The number of the notebook that it belongs to, such as "04"."""
        return self.number.split(".")[0].zfill(2)

    @property
    def argument_names(self) -> tuple[str, ...]:
        """What the arguments of a case are called: as the parameters of `call`, or of the reference."""
        own = tuple(inspect.signature(self.reference).parameters)
        parameters = list(inspect.signature(self.call).parameters.values())[1:]
        fixed = tuple(p.name for p in parameters if p.kind is not p.VAR_POSITIONAL)
        return fixed if len(fixed) == len(parameters) else fixed + own


@dataclass(frozen=True)
class Question(Exercise):
    """An entry whose answer is a value: a number (`reference`), or one of the letters of `choices`."""

    choices: dict[str, str] = field(default_factory=dict)
