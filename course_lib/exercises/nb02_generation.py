"""Notebook 02, generation and animation: latent paths, coverage, and skinning."""

import math

import torch

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.tasks.generation import coverage, decode_path, minimum_matching_distance
from course_lib.tasks.skinning import forward_kinematics, linear_blend_skinning, rotation


def ellipsoid(z, points):
    """A decoder whose three latent numbers are, squared, the half-axes."""
    return (points / (z * z)).norm(dim=-1) - 1


def _path(g: torch.Generator, steps: int) -> tuple:
    start, end = (torch.rand(3, generator=g) + 0.5 for _ in range(2))
    return ellipsoid, start, end, torch.randn(6, 3, generator=g), steps


def _path_of(position):
    """A path whose row i lies at t = position(i, steps)."""

    def wrong(decoder, start, end, points, steps):
        ts = [position(i, steps) for i in range(steps)]
        return torch.stack([decoder((1 - t) * start + t * end, points) for t in ts])

    return wrong


def _blended_values(decoder, start, end, points, steps):
    t = torch.linspace(0, 1, steps)[:, None]
    return (1 - t) * decoder(start, points) + t * decoder(end, points)


# fmt: off
DECODE_PATH_MISTAKES = mistakes({
    "values blended": (_blended_values,
        "You blended the two shapes' values. Blend the latent vectors, and decode what comes out."),
    "end left out": (_path_of(lambda i, steps: i / steps),
        "The last row is not the end: t = i/(steps − 1) reaches 1, i/steps does not."),
    "both ends left out": (_path_of(lambda i, steps: (i + 1) / (steps + 1)),
        "Your path leaves out both ends: the first row belongs to t = 0 and the last to t = 1."),
    "backwards": (_path_of(lambda i, steps: 1 - i / (steps - 1)),
        "Your path runs from the end to the start."),
})
# fmt: on

DECODE_PATH = Exercise(
    name="decode_path",
    reference=decode_path,
    points=2,
    cases=(
        Case(
            "a ball whose latent number is its radius",
            lambda g: (
                lambda z, points: points.norm(dim=-1) - z[0] ** 2,
                torch.tensor([0.5]),
                torch.tensor([1.5]),
                torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]),
                3,
            ),
            fixed=True,
        ),
        Case("five steps", lambda g: _path(g, 5)),
        Case("two steps", lambda g: _path(g, 2)),
        Case("eight steps", lambda g: _path(g, 8)),
    ),
    misconceptions=DECODE_PATH_MISTAKES,
    hints=(
        "Which t belongs to row i, if the first is 0 and the last 1?",
        "`torch.linspace(0, 1, steps)` gives them; decode `(1 - t) * start + t * end` for each.",
        "Collect the rows `decoder(z, points)` in a list and `torch.stack` it.",
    ),
)


def _distances(g: torch.Generator, generated: int, references: int) -> tuple:
    return (torch.rand(generated, references, generator=g),)


DISTANCE_CASES = (
    Case(
        "two generated shapes, three references",
        lambda g: (torch.tensor([[0.1, 0.9, 0.8], [0.2, 0.3, 0.7]]),),
        fixed=True,
    ),
    Case("more generated", lambda g: _distances(g, 9, 5)),
    Case("fewer generated", lambda g: _distances(g, 4, 11)),
    Case("many", lambda g: _distances(g, 20, 23)),
)

# fmt: off
COVERAGE_MISTAKES = mistakes({
    "other axis": (lambda d: d.new_tensor(d.argmin(dim=0).unique().numel() / d.shape[1]),
        "Your argmin runs down the columns (axis 0): it names generated shapes. Each generated "
        "shape (row) names its nearest reference: axis 1."),
    "named once": (
        lambda d: (torch.bincount(d.argmin(1), minlength=d.shape[1]) == 1).float().mean(),
        "You count only references that are named *exactly* once; twice is found too."),
    "axes exchanged": (lambda d: d.new_tensor(d.argmin(dim=0).unique().numel() / d.shape[0]),
        "You counted the generated shapes that some reference is nearest to. It is the other "
        "way round: each generated shape (row) names its nearest reference (column)."),
    "share of the generated": (
        lambda d: d.new_tensor(d.argmin(dim=1).unique().numel() / d.shape[0]),
        "You divided by the number of generated shapes. Coverage is a share of the references."),
    "counted repeatedly": (lambda d: d.new_tensor(d.argmin(dim=1).numel() / d.shape[1]),
        "A reference that is named twice counts twice with you. Count each once."),
    "a count": (lambda d: d.new_tensor(float(d.argmin(dim=1).unique().numel())),
        "That is the number of references found; coverage is their share."),
})
# fmt: on

COVERAGE = Exercise(
    name="coverage",
    reference=coverage,
    cases=DISTANCE_CASES,
    misconceptions=COVERAGE_MISTAKES,
    hints=(
        "Which reference is nearest to generated shape i? Look along row i.",
        "`distances.argmin(dim=1)` names one reference per generated shape; how many "
        "different ones are there?",
        "`.unique()` keeps each once; divide by the number of columns.",
    ),
)

# fmt: off
MATCHING_MISTAKES = mistakes({
    "argmin": (lambda d: d.argmin(dim=0).float().mean(),
        "You averaged the *numbers* of the nearest shapes: `argmin` says which, `amin` how far."),
    "a sum": (lambda d: d.amin(dim=0).sum(), "You added the distances up: take their mean."),
    "over the generated": (lambda d: d.amin(dim=1).mean(),
        "You looked for the nearest reference of each generated shape. Every reference (column) "
        "looks for its nearest generated shape."),
    "smallest of all": (lambda d: d.min(),
        "That is the smallest distance of all: one good shape would be enough."),
    "mean of all": (lambda d: d.mean(), "That is the mean over all pairs."),
    "largest": (lambda d: d.amin(dim=0).max(),
        "You took the worst reference; take the mean over the references."),
})
# fmt: on

MATCHING = Exercise(
    name="minimum_matching_distance",
    reference=minimum_matching_distance,
    cases=DISTANCE_CASES,
    misconceptions=MATCHING_MISTAKES,
    hints=(
        "For each reference (column): how near does a generated shape come?",
        "`distances.amin(dim=0)`, and the mean of that.",
    ),
)


def _local(g: torch.Generator, joints: int) -> torch.Tensor:
    angles = (torch.rand(joints, 2, generator=g) * 360).tolist()
    matrices = torch.stack([rotation(2, a) @ rotation(0, b) for a, b in angles])
    matrices[:, :3, 3] = torch.randn(joints, 3, generator=g)
    return matrices


def _tree(g: torch.Generator, joints: int) -> tuple:
    """A tree with a fork: the last joint hangs on the root."""
    parents = [-1, 0] + [int(torch.randint(0, j, (), generator=g)) for j in range(2, joints - 1)]
    return [*parents, 0], _local(g, joints)


def _fk_one_step(parents, local):
    pairs = enumerate(parents)
    return torch.stack([local[j] if p < 0 else local[p] @ local[j] for j, p in pairs])


def _fk_tree(combine, root=True):
    """Joint by joint, with another way to combine the parent's transform with the joint's own."""

    def wrong(parents, local):
        world = list(local)
        for joint, parent in enumerate(parents):
            if parent >= 0 or not root:
                world[joint] = combine(world[parent], local[joint])
        return torch.stack(world)

    return wrong


def _shifted(parent, own):
    moved = own.clone()
    moved[:3, 3] += parent[:3, 3]
    return moved


def _fk_chain(parents, local):
    return forward_kinematics(range(-1, len(parents) - 1), local)


# fmt: off
KINEMATICS_MISTAKES = mistakes({
    "elementwise": (_fk_tree(lambda parent, own: parent * own),
        "`*` multiplies number by number; the product of matrices is `@`."),
    "no root": (_fk_tree(lambda parent, own: parent @ own, root=False),
        "A parent of −1 means a root; as an index it takes the *last* joint. A root keeps its own "
        "transform."),
    "translations only": (_fk_tree(_shifted),
        "You added the parent's translation only: its rotation turns the child too. Multiply the "
        "matrices."),
    "inverse": (_fk_tree(lambda parent, own: torch.linalg.inv(parent) @ own),
        "You inverted the parent's transform: it already takes its coordinates to the world."),
    "other order": (_fk_tree(lambda parent, own: own @ parent),
        "The factors stand in the other order: the joint's own transform comes first, at the "
        "right of its parent's, G_parent @ L."),
    "no parents": (lambda parents, local: local.clone(),
        "You returned the local transforms: every joint has to follow its parent."),
    "one parent only": (_fk_one_step,
        "You used the parent's local transform. Use its world transform, which holds all "
        "ancestors."),
    "always the previous joint": (_fk_chain,
        "You took the joint before as the parent. Look it up in `parents`: the tree has forks."),
})
# fmt: on

KINEMATICS = Exercise(
    name="forward_kinematics",
    reference=forward_kinematics,
    points=2,
    cases=(
        Case("a chain of three", lambda g: ([-1, 0, 1], _local(g, 3))),
        Case("a fork", lambda g: ([-1, 0, 1, 0], _local(g, 4))),
        Case("a tree of eight", lambda g: _tree(g, 8)),
    ),
    misconceptions=KINEMATICS_MISTAKES,
    hints=(
        "A joint's world transform takes its coordinates to its parent's, then the parent's "
        "to the world.",
        "Parents come before their children, so one loop over the joints is enough.",
        "`world[parents[j]] @ local[j]`, and `local[j]` alone for a root.",
    ),
)


def _skin(g: torch.Generator, v: int, j: int) -> tuple:
    weights = torch.rand(v, j, generator=g) ** 3
    return torch.randn(v, 3, generator=g), weights / weights.sum(1, keepdim=True), _local(g, j)


def _places(vertices, motions, transpose=False):
    """Where every bone takes every vertex, (v, j, 3); with rows instead of columns if transposed."""
    points = torch.nn.functional.pad(vertices, (0, 1), value=1.0)
    matrices = motions.mT if transpose else motions
    return torch.einsum("jab,vb->vja", matrices, points)[..., :3]


def _blend(vertices, weights, motions):
    return (weights[:, :, None] * _places(vertices, motions)).sum(1)


def _skin_without_translation(vertices, weights, motions):
    return torch.einsum("vj,jab,vb->va", weights, motions[:, :3, :3], vertices)


def _skin_strongest(vertices, weights, motions):
    one = torch.nn.functional.one_hot(weights.argmax(1), weights.shape[1]).to(weights)
    return _blend(vertices, one, motions)


def _skin_transposed(vertices, weights, motions):
    moved = torch.einsum("jba,vb->vja", motions[:, :3, :3], vertices) + motions[:, :3, 3]
    return torch.einsum("vj,vja->va", weights, moved)


def _skin_in_turn(vertices, weights, motions):
    for weight, motion in zip(weights.T[..., None], motions[:, None], strict=True):
        vertices = weight * _places(vertices, motion)[:, 0] + (1 - weight) * vertices
    return vertices


def _quarter_turn(g: torch.Generator) -> tuple:
    motions = torch.stack([torch.eye(4), rotation(2, 90.0)])
    return torch.tensor([[math.sqrt(2.0), 0.0, 0.0]]), torch.tensor([[0.25, 0.75]]), motions


# fmt: off
SKINNING_MISTAKES = mistakes({
    "one after the other": (_skin_in_turn,
        "You moved the vertex by one bone after the other; every bone moves the vertex *at rest*."),
    "rows": (lambda p, w, m: (w[:, :, None] * _places(p, m, True)).sum(1),
        "You multiplied by the transposed matrices. Points are columns: M @ p."),
    "weights left out": (lambda p, w, m: _places(p, m).sum(1),
        "You added up the places of all bones without their weights."),
    "mean of the weighted": (lambda p, w, m: _blend(p, w, m) / w.shape[1],
        "You divided by the number of bones as well: the weights add up to 1 already."),
    "added to the vertex": (lambda p, w, m: p + _blend(p, w, m),
        "M p is the new *place*, not a displacement: do not add it to the vertex."),
    "inverse": (lambda p, w, m: _blend(p, w, torch.linalg.inv(m)),
        "You used the inverse motions: `motions` takes the rest pose to the present one."),
    "no translation": (_skin_without_translation,
        "The translations are missing: use points (x, y, z, 1), or add the fourth column."),
    "strongest bone only": (_skin_strongest,
        "Each vertex follows one bone only, the strongest, and the skin tears. Blend all by "
        "their weights."),
    "all bones alike": (lambda p, w, m: _places(p, m).mean(1),
        "You gave all bones the same weight: use `weights`."),
    "transposed": (_skin_transposed,
        "Your rotations are transposed. Points are columns: R @ p."),
})
# fmt: on

SKINNING = Exercise(
    name="linear_blend_skinning",
    reference=linear_blend_skinning,
    points=3,
    cases=(
        Case("one vertex, a quarter turn", _quarter_turn, fixed=True),
        Case("two bones", lambda g: _skin(g, 7, 2)),
        Case("five bones", lambda g: _skin(g, 12, 5)),
    ),
    misconceptions=SKINNING_MISTAKES,
    hints=(
        "Every bone moves the vertex to some place M_j p; the answer is the weighted mean of "
        "the places.",
        "Append a 1 to every vertex: `torch.cat([vertices, torch.ones(len(vertices), 1)], dim=1)`.",
        "`torch.einsum('vj,jab,vb->va', weights, motions, points)[:, :3]` does all of it.",
    ),
)
