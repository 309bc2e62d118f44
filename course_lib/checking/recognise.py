"""The mistake behind wrong outcomes: a listed one, or one of the general kinds that anybody makes.

A general kind is believed only if it explains every case, and the same on more random inputs than the
student is judged by.
"""

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any

import torch

from course_lib.checking import inputs, mutants, outputs
from course_lib.checking.compare import difference, value_difference
from course_lib.checking.numbers import as_tensor, wrong
from course_lib.checking.outcome import Outcome, run_arguments, run_case
from course_lib.checking.sample import Sample
from course_lib.exercises.exercise import Exercise, Misconception

MORE_SEEDS = range(101, 109)
"""Seeds of the random cases on which a general kind must hold, too: two, or more until it is enough."""
SEARCH_SECONDS, RUN_SECONDS = 3.0, 1.0
"""Processor time for the search, and time for one run."""
ENOUGH = 3.0
"""Wrong numbers that it takes to believe a general kind; whole numbers and booleans tell less."""
EVIDENCE = {"float": 1.0, "int": 0.5, "bool": 0.1}
TRIED = 4
"""Samples on which an argument must have no effect."""


def recognise(
    exercise: Exercise, expected: Sequence[Outcome], got: Sequence[Outcome], candidate: Any = None
) -> Misconception | None:
    """The mistake that explains all outcomes, or None; without a candidate only a listed one."""
    search = _Search(exercise, expected, got, candidate)
    found = search.listed()
    if found is None and candidate is not None:
        with contextlib.suppress(Exception):  # results that no idea was written for
            found = search.general()
    return found


class _Search:
    def __init__(self, exercise: Exercise, expected: Any, got: Any, candidate: Any):
        self.exercise, self.expected, self.got = exercise, expected, got
        self.quick = dataclasses.replace(exercise, gradients=(), seconds=RUN_SECONDS)
        self._reference = partial(self._run, exercise.reference)
        self._given = partial(self._run, candidate)

    @cached_property
    def samples(self) -> list[Sample]:
        """The cases that have a right value, those with a wrong one first; none if one raises."""
        rows = zip(self.exercise.cases, self.expected, self.got, strict=True)
        valued = [(case.arguments(0), e, g) for case, e, g in rows if e.failure is None]
        if any(g.failure for _, _, g in valued):
            return []
        samples = [Sample(a, e.value, g.value) for a, e, g in valued]
        return sorted(samples, key=lambda s: not self._is_wrong(s))

    @cached_property
    def more(self) -> list[Sample]:
        """Samples of the random cases on further seeds."""
        found: list[Sample] = []
        for number, seed in enumerate(MORE_SEEDS):
            if number >= 2 and self._weight_of(self.samples + found) >= ENOUGH:
                break
            for case in self.exercise.cases:
                if case.fixed:
                    continue
                given = case.arguments(seed)
                with contextlib.suppress(ValueError):  # one of them has no value
                    found.append(Sample(given, self._reference(given), self._given(given)))
        return found

    def listed(self) -> Misconception | None:
        """The first misconception of the exercise that agrees in everything, or in all values."""
        in_values = None
        for misconception in self.exercise.misconceptions:
            wrong = misconception.wrong
            outcomes = [run_case(self.exercise, wrong, case) for case in self.exercise.cases]
            pairs = zip(outcomes, self.got, strict=True)
            if all(difference(*pair, self.exercise.tolerance) is None for pair in pairs):
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
            e.failure or (not o.failure and self._alike(o.value, g.value)) for e, o, g in rows
        )

    @cached_property
    def _has_wrong_values(self) -> bool:
        return bool(self.samples) and self._is_wrong(self.samples[0])

    def general(self) -> Misconception | None:
        """The first general kind that explains all samples, within the time for the search."""
        if not self._has_wrong_values or self._weight_of(self.samples + self.more) < ENOUGH:
            return None
        end = time.thread_time() + SEARCH_SECONDS
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if said := outputs.constant(self.samples + self.more, self.exercise.tolerance):
                return Misconception("constant", None, said)
            for idea in self._ideas():
                if time.thread_time() > end:
                    break
                if self._holds(idea):
                    return idea
            return self._partly() or self._without_effect()

    def _without_effect(self) -> Misconception | None:
        """Said of an argument that the result does not depend on."""
        parts = self.samples[:TRIED], self.exercise.argument_names
        with contextlib.suppress(Exception):  # another argument that is not valid
            if name := inputs.ignored(*parts, self._reference, self._given, self._same):
                return Misconception("ignored", None, f"`{name}` has no effect on your result.")
        return None

    def _partly(self) -> Misconception | None:
        """A misconception that gives the student's values wherever they are wrong."""
        wrong = [s for s in self.samples + self.more if self._is_wrong(s)]
        for misconception in self.exercise.misconceptions:
            values = (self._run(misconception.wrong, s.arguments) for s in wrong)
            with contextlib.suppress(ValueError):
                pairs = zip(values, wrong, strict=True)
                if all(self._covers(v, s.expected, s.got) for v, s in pairs):
                    return misconception
        return None

    def _ideas(self) -> Iterator[Misconception]:
        names, reference = self.exercise.argument_names, self.exercise.reference
        arguments = dict(zip(names, self.samples[0].arguments, strict=False))
        return chain(
            inputs.poses(self.samples, names, self._reference),
            outputs.ideas(self.samples, names, self.exercise.tolerance),
            inputs.ideas(self.samples, names, self._reference),
            mutants.ideas(reference, self._run, arguments),
        )

    def _holds(self, idea: Misconception) -> bool:
        """True if the idea gives the student's values on all samples."""
        try:
            return all(self._same(idea.wrong(s), s.got) for s in chain(self.samples, self.more))
        except Exception:  # an idea that cannot be carried out on these values
            return False

    def _run(self, function: Any, arguments: tuple) -> Any:
        """The value of a function. Raises ValueError where it has none."""
        outcome = run_arguments(self.quick, function, arguments)
        if outcome.failure:
            raise ValueError(outcome.failure.kind)
        return outcome.value

    def _same(self, value: Any, got: Any) -> bool:
        return value_difference(value, got, self.exercise.tolerance) is None

    def _alike(self, value: Any, got: Any) -> bool:
        """The same, or one number where the student gives it to each of a batch."""
        if isinstance(value, torch.Tensor) and isinstance(got, torch.Tensor) and not value.ndim:
            value = value.expand(got.shape)
        return self._same(value, got)

    def _covers(self, value: Any, right: Any, got: Any) -> bool:
        """True if every number, or item, that the student has is right or that of the misconception."""
        if isinstance(right, (tuple, list)) and isinstance(got, (tuple, list)):
            return all(map(self._covers, value, right, got))
        sides = [as_tensor(side) for side in (value, right, got)]
        are_numbers = all(t is not None and t.is_floating_point() for t in sides)
        if are_numbers and len({t.shape for t in sides}) == 1:
            mistaken = [wrong(t, sides[2], self.exercise.tolerance) for t in sides[:2]]
            return not bool((mistaken[0] & mistaken[1]).any())
        return self._alike(value, got) or self._same(right, got)

    def _is_wrong(self, sample: Sample) -> bool:
        return not self._same(sample.expected, sample.got)

    def _weight_of(self, samples: list[Sample]) -> float:
        """How much wrong values there are to explain: many could hardly be met by chance."""
        return sum(self._weight(s.expected, s.got) for s in samples)

    def _weight(self, expected: Any, got: Any) -> float:
        """The wrong numbers, weighted by what they tell; another shape or text counts as many."""
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
        kind = (
            "float" if want.is_floating_point() else "bool" if want.dtype == torch.bool else "int"
        )
        return EVIDENCE[kind] * int(wrong(want, have, self.exercise.tolerance).sum())
