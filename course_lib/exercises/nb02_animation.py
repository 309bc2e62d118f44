"""Notebook 02, animation: forward kinematics and skinning."""

import math

import torch

from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.tasks.skinning import forward_kinematics, linear_blend_skinning, rotation


def _local(g: torch.Generator, joints: int) -> torch.Tensor:
    angles = (torch.rand(joints, 2, generator=g) * 360).tolist()
    matrices = torch.stack([rotation(2, a) @ rotation(0, b) for a, b in angles])
    matrices[:, :3, 3] = torch.randn(joints, 3, generator=g)
    return matrices


def _tree(g: torch.Generator, joints: int) -> tuple:
    """A tree with a fork: the last joint hangs on the root, the one before is a root, too."""
    parents = [-1, 0] + [int(torch.randint(0, j, (), generator=g)) for j in range(2, joints - 2)]
    return [*parents, -1, 0], _local(g, joints)


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
        Case("nine bones", lambda g: _skin(g, 12, 9)),
    ),
    misconceptions=SKINNING_MISTAKES,
    hints=(
        "Every bone moves the vertex to some place M_j p; the answer is the weighted mean of "
        "the places.",
        "Append a 1 to every vertex: `torch.cat([vertices, torch.ones(len(vertices), 1)], dim=1)`.",
        "`torch.einsum('vj,jab,vb->va', weights, motions, points)[:, :3]` does all of it.",
    ),
)
