"""What is said of mistakes that nobody listed: a row for each kind; none where little is wrong."""

import ast

import pytest
import torch

from course_lib import cameras
from course_lib.checking import kinds
from course_lib.checking.device import device_difference, moved
from course_lib.checking.diagnose import State, examine
from course_lib.checking.inputs import other
from course_lib.checking.numbers import number_difference
from course_lib.checking.rules import changes_of
from course_lib.exercises.exercise import Case, Exercise, Misconception, Tolerance
from course_lib.volume import Composite


def centre(x, w, pose):
    """The weighted mean of moved points. x: (n, 3), w: (n,), pose: (4, 4) -> (3,)"""
    placed = x @ pose[:3, :3].T + pose[:3, 3]
    total = (w[:, None] * placed).sum(0)
    return total / w.sum()


def nearest(depth, limit):
    """The first axis' smallest, and whether it is below a limit. depth: (m, n) -> (n,), (n,)"""
    return depth.amin(0), depth.amin(0) < limit


def _scene(n):
    def make(g):
        pose = cameras.look_at(torch.randn(3, generator=g) + 3)
        return torch.randn(n, 3, generator=g), 0.1 + torch.rand(n, generator=g), pose

    return make


def _depths(g):
    return torch.rand(4, 9, generator=g), 0.3


CENTRE = Exercise(
    "centre",
    centre,
    (Case("five", _scene(5)), Case("eight", _scene(8))),
    misconceptions=(
        Misconception("no weights", lambda x, w, p: centre(x, w / w, p), "No weights."),
    ),
)
NEAREST = Exercise("nearest", nearest, (Case("some", _depths), Case("others", _depths)))


def _unsummed(x, w, pose):
    placed = x @ pose[:3, :3].T + pose[:3, 3]
    return w[:, None] * placed / w.sum()


def _at_each_use(x, w, pose):
    total = (w[:, None] * (x @ pose[:3, :3].T + pose[:3, 3])).sum(0)
    return total / w.mean() / len(w) / len(w)


@pytest.mark.parametrize(
    ("exercise", "wrong", "phrase"),
    [
        (CENTRE, lambda x, w, p: 2 * centre(x, w, p), "exactly twice the right one"),
        (CENTRE, lambda x, w, p: centre(x, w, p) * w.sum(), "times the sum of `w`"),
        (CENTRE, lambda x, w, p: -centre(x, w, p), "the right one with the other sign"),
        (CENTRE, lambda x, w, p: centre(x, w, p).flip(0), "in reversed order along axis 0"),
        (CENTRE, lambda x, w, p: centre(x, w, p) + 1, "the right one plus one"),
        (CENTRE, lambda x, w, p: centre(x, w, p)[None], "an axis of length 1 too many"),
        (CENTRE, lambda x, w, p: 0 * centre(x, w, p), "is 0 everywhere"),
        (CENTRE, lambda x, w, p: centre(x, w, torch.linalg.inv(p)), "the inverse of `pose`"),
        (CENTRE, lambda x, w, p: centre(x, w**2, p), "`w` squared"),
        (CENTRE, lambda x, w, p: centre(x[:, [1, 0, 2]], w, p), "components 0 and 1 of axis 1"),
        (CENTRE, lambda x, w, p: w.sum() * p[:3, 0], "`x` has no effect"),
        (CENTRE, _unsummed, "the sum of your result over axis 0"),
        (CENTRE, _at_each_use, "divided by the length of axis 0 of `x`"),
        (CENTRE, lambda x, w, p: centre(x, w, p) * len(x) ** 2, "times the square of the length"),
        (CENTRE, lambda x, w, p: (x * w[:, None]).sum(0) / w.sum() @ p[:3, :3].T, "translation"),
        (CENTRE, lambda x, w, p: w @ (x @ p[:3, :3].T + p[:3, 3]), "the sum of `w`"),
        (NEAREST, lambda d, limit: nearest(d, limit)[::-1], "Items 1 and 2"),
        (
            NEAREST,
            lambda d, limit: (d.amax(0), d.amin(0) < limit),
            "with `amax` in place of `amin`",
        ),
        (NEAREST, lambda d, limit: (d.amin(0), d.amin(0) > limit), "True and False exchanged"),
        (NEAREST, lambda d, limit: (d.amin(0).sqrt(), d.amin(0) < limit), "the square root"),
    ],
)
def test_a_mistake_that_nobody_listed_is_named(exercise, wrong, phrase):
    mistake = examine(exercise, wrong).misconception
    assert mistake is not None and phrase in mistake.message, mistake


def test_a_listed_mistake_is_named_where_the_rest_is_right():
    def wrong(x, w, pose):
        return centre(x, w / w, pose) if len(x) == 5 else centre(x, w, pose)

    assert examine(CENTRE, wrong).misconception.name == "no weights"


def test_one_wrong_number_is_too_little_to_name_a_mistake():
    share = Exercise(
        "share", lambda x: x.sum(), (Case("one", lambda g: (torch.ones(2),), fixed=True),)
    )
    report = examine(share, lambda x: x.sum() / 2)
    assert report.state is State.INCORRECT and report.misconception is None


@pytest.mark.parametrize(
    ("got", "remark"),
    [
        ([1.5, 2.5, 4.5], "off by +0.5"),
        ([3.0, 6.0, 12.0], "3 times the right one"),
        ([1.0, -2.0, -4.0], "by their signs alone"),
        ([4.0, 1.0, 2.0], "their order is not"),
        ([1.0, 2.0, float("nan")], "NaN"),
        ([1.0, 2.0, float("inf")], "infinite"),
        ([1.0, 2.0, 9.0], "only at 2 of axis 0"),
    ],
)
def test_what_wrong_numbers_have_in_common_is_said(got, remark):
    found = number_difference(torch.tensor([1.0, 2, 4]), torch.tensor(got), Tolerance(), "it")
    assert remark in found.text


@pytest.mark.parametrize(
    ("code", "change", "words"),
    [
        ("x.sum(1)", "x.sum(0)", "along axis 0"),
        ("x.mean(dim=1)", "x.mean()", "without `dim=`"),
        ("a - b", "b - a", ""),
        ("a < b", "a <= b", ""),
        ("-torch.expm1(-t)", "torch.exp(-t)", "in place of 1 - exp"),
        ("[a, b]", "[b, a]", "exchanged"),
        ("x.T", "x", "not transposed"),
        ("a if m else b", "b", ""),
    ],
)
def test_a_slip_is_among_the_changes_of_code(code, change, words):
    node = ast.parse(code, mode="eval").body
    found = {
        ast.unparse(ast.fix_missing_locations(new)): said for new, said in changes_of(node, {})
    }
    assert words in found[change]


def test_what_fails_on_another_device_is_told_with_what_to_do():
    def stays(x, w, pose):
        raise RuntimeError("expected all tensors on the same device")

    found = device_difference(CENTRE, stays, "cpu")
    assert found.kind == "device" and "device=x.device" in found.text
    assert device_difference(CENTRE, centre, "cpu") is None
    assert moved([{"a": torch.ones(1)}, "text"], "meta")[0]["a"].device.type == "meta"


def test_named_tuples_stay_what_they_are_where_their_items_are_changed():
    pixel = Composite(torch.zeros(3), torch.ones(1), torch.ones(1))
    assert moved(pixel, "meta").depth.device.type == "meta"
    assert other(pixel).color.tolist() == pytest.approx([0.04] * 3)
    assert kinds._leaves(pixel).opacity.requires_grad
    assert all(isinstance(f, Composite) for f in (moved(pixel, "cpu"), other(pixel)))
