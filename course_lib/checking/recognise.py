"""The mistake behind wrong outcomes: a listed one, or one of the general kinds that anybody makes.

A general kind is believed only if it explains every case, and the same on more random inputs than the
student is judged by.
"""

import dataclasses
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import torch

from course_lib.checking import inputs, mutants, outputs
from course_lib.checking.compare import agree, value_difference
from course_lib.checking.numbers import as_tensor, wrong
from course_lib.checking.outcome import Outcome, run_arguments, run_case
from course_lib.checking.sample import Idea, Sample
from course_lib.exercises.exercise import Case, Exercise, Misconception

MORE_SEEDS = (101, 102)
"""Seeds of the random cases on which a general kind must hold, too."""
SEARCH_SECONDS, RUN_SECONDS = 3.0, 1.0
ENOUGH = 3
"""Wrong numbers that it takes to believe a general kind."""


def recognise(
    exercise: Exercise,
    cases: Sequence[Case],
    expected: Sequence[Outcome],
    got: Sequence[Outcome],
    candidate: Any = None,
) -> Misconception | None:
    """The mistake that explains all outcomes, or None; without a candidate only a listed one."""
    search = _Search(exercise, cases, expected, got, candidate)
    found = search.listed()
    return found or (search.general() if candidate is not None else None)


class _Search:
    def __init__(self, exercise: Exercise, cases: Any, expected: Any, got: Any, candidate: Any):
        quick = dataclasses.replace(exercise, gradients=(), seconds=RUN_SECONDS)
        self.exercise, self.quick, self.cases, self.candidate = exercise, quick, cases, candidate
        self.expected, self.got = expected, got

    @cached_property
    def samples(self) -> list[Sample]:
        """The cases that have a right value, those with a wrong one first; none if one raises."""
        rows = zip(self.cases, self.expected, self.got, strict=True)
        valued = [(case.arguments(0), e, g) for case, e, g in rows if e.failure is None]
        if any(g.failure for _, _, g in valued):
            return []
        samples = [Sample(a, e.value, g.value) for a, e, g in valued]
        return sorted(samples, key=lambda s: not self._is_wrong(s))

    @cached_property
    def more(self) -> list[Sample]:
        """Samples of the random cases on further seeds."""
        found = []
        for case in self.cases:
            for seed in () if case.fixed else MORE_SEEDS:
                arguments = case.arguments(seed)
                pair = [
                    run_arguments(self.quick, f, arguments)
                    for f in (self.exercise.reference, self.candidate)
                ]
                if not any(outcome.failure for outcome in pair):
                    found.append(Sample(arguments, *(outcome.value for outcome in pair)))
        return found

    def listed(self) -> Misconception | None:
        """The first misconception of the exercise that agrees in everything, or in all values."""
        in_values = None
        for misconception in self.exercise.misconceptions:
            outcomes = [run_case(self.exercise, misconception.wrong, case) for case in self.cases]
            pairs = zip(outcomes, self.got, strict=True)
            if all(agree(*pair, self.exercise.tolerance) for pair in pairs):
                return misconception
            if in_values is None and self._explains(outcomes):
                in_values = misconception
        return in_values

    def _explains(self, outcomes: Sequence[Outcome]) -> bool:
        """True if a misconception's values are the student's wherever there is a right value."""
        if not self._has_wrong_values:
            return False
        rows = zip(self.expected, outcomes, self.got, strict=True)
        return all(
            e.failure or (not o.failure and self._same(o.value, g.value)) for e, o, g in rows
        )

    @cached_property
    def _has_wrong_values(self) -> bool:
        return bool(self.samples) and self._is_wrong(self.samples[0])

    def general(self) -> Misconception | None:
        """The first general kind that explains all samples, within the time for the search."""
        if not self._has_wrong_values or not self._enough():
            return None
        end = time.perf_counter() + SEARCH_SECONDS
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for idea in self._ideas():
                if time.perf_counter() > end:
                    return None
                if self._holds(idea):
                    return Misconception(idea.name, None, idea.message)
        return None

    def _ideas(self) -> Iterator[Idea]:
        names = self.exercise.argument_names
        return chain(
            outputs.ideas(self.samples, names, self.exercise.tolerance),
            inputs.ideas(self.samples, names, self._reference),
            mutants.ideas(self.exercise.reference, self._run),
        )

    def _holds(self, idea: Idea) -> bool:
        """True if the idea gives the student's values on all samples."""
        try:
            return all(self._same(idea.predict(s), s.got) for s in self.samples) and all(
                self._same(idea.predict(s), s.got) for s in self.more
            )
        except Exception:  # an idea that cannot be carried out on these values
            return False

    def _reference(self, arguments: tuple) -> Any:
        return self._run(self.exercise.reference, arguments)

    def _run(self, function: Any, arguments: tuple) -> Any:
        """The value of a function. Raises ValueError where it has none."""
        outcome = run_arguments(self.quick, function, arguments)
        if outcome.failure:
            raise ValueError(outcome.failure.kind)
        return outcome.value

    def _same(self, value: Any, got: Any) -> bool:
        return value_difference(value, got, self.exercise.tolerance) is None

    def _is_wrong(self, sample: Sample) -> bool:
        return not self._same(sample.expected, sample.got)

    def _enough(self) -> bool:
        """True if the wrong values could hardly be met by chance."""
        wrong_numbers = sum(self._weight(s.expected, s.got) for s in self.samples + self.more)
        return wrong_numbers >= ENOUGH

    def _weight(self, expected: Any, got: Any) -> int:
        """How many numbers are wrong; another shape or text counts as many."""
        if isinstance(expected, (list, tuple, dict)) and type(expected) is type(got):
            if len(expected) != len(got):
                return ENOUGH
            keys = expected if isinstance(expected, dict) else range(len(expected))
            return sum(self._weight(expected[k], got[k]) for k in keys)
        want, have = as_tensor(expected), as_tensor(got)
        if want is None or have is None:
            return 0 if expected == got else ENOUGH
        if want.shape != have.shape:
            return ENOUGH
        return int(wrong(want, torch.as_tensor(have), self.exercise.tolerance).sum())
