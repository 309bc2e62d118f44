"""Animation of a static mesh: a skeleton, its poses, and the skin that follows.

A skeleton is a tree of joints; a bone is a joint with its own axes. Forward kinematics multiplies
the local transforms from the root outwards. Linear blend skinning moves every vertex by the weighted
mean of the bones' transforms (Magnenat-Thalmann et al. 1988; also "skeletal subspace deformation").
Matrices are 4 × 4 and multiply column vectors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib import shapes
from course_lib.meshes import Mesh, grid_to_mesh, lattice


def forward_kinematics(
    parents: Sequence[int], local: Float[Tensor, "j 4 4"]
) -> Float[Tensor, "j 4 4"]:
    """The transforms of all joints to the world, G_j = G_parent(j) L_j, and G_root = L_root.

    parents is a list: parents[j] is the joint that j hangs on, −1 for a root; parents come before
    their children. local[j] takes coordinates of joint j to those of its parent.

    >>> step = torch.eye(4)
    >>> step[0, 3] = 1.0  # each joint one to the right of its parent
    >>> forward_kinematics([-1, 0, 1], step.repeat(3, 1, 1))[:, 0, 3]
    tensor([1., 2., 3.])
    """
    world: list[torch.Tensor] = []
    for joint, parent in enumerate(parents):
        world.append(local[joint] if parent < 0 else world[parent] @ local[joint])
    return torch.stack(world)


def linear_blend_skinning(
    vertices: Float[Tensor, "v 3"], weights: Float[Tensor, "v j"], motions: Float[Tensor, "j 4 4"]
) -> Float[Tensor, "v 3"]:
    """Move each vertex by the weighted mean of the bones' motions: p′ᵢ = Σⱼ w_ij (Mⱼ pᵢ).

    vertices in the rest pose; weights[i] ≥ 0 add up to 1; motions[j] takes the rest pose of bone j
    to its present pose, G_j (G_j at rest)⁻¹. Points are (x, y, z, 1).

    >>> up = torch.eye(4)
    >>> up[1, 3] = 1.0
    >>> motions = torch.stack([torch.eye(4), up])
    >>> linear_blend_skinning(torch.zeros(1, 3), torch.tensor([[0.25, 0.75]]), motions)
    tensor([[0.0000, 0.7500, 0.0000]])
    """
    points = torch.cat([vertices, torch.ones_like(vertices[:, :1])], dim=1)  # (v, 4)
    blended = torch.einsum("vj,jab->vab", weights, motions)  # (v, 4, 4)
    return torch.einsum("vab,vb->va", blended, points)[:, :3]


def rotation(axis: int, degrees: float) -> Float[Tensor, "4 4"]:
    """The 4 × 4 rotation about the x, y or z axis (0, 1, 2), counter-clockwise.

    >>> rotation(2, 90.0)[:3, :3].round()
    tensor([[ 0., -1.,  0.],
            [ 1.,  0.,  0.],
            [ 0.,  0.,  1.]])
    """
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = torch.eye(4)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


@dataclass(frozen=True)
class Skeleton:
    """Named joints in the rest pose: `positions` (j, 3) in the world, `ends` (j, 3) of their bones.

    At rest every joint has the world's axes.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: Float[Tensor, "j 3"]
    ends: Float[Tensor, "j 3"]

    def motions(self, rotations: dict[str, Tensor]) -> Float[Tensor, "j 4 4"]:
        """How each bone moves from rest when the named joints turn by 4 × 4 rotations."""
        rest = torch.eye(4).repeat(len(self.names), 1, 1)
        rest[:, :3, 3] = self.positions
        local = rest.clone()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                local[joint, :3, 3] -= self.positions[parent]
        for name, turn in rotations.items():
            joint = self.names.index(name)
            local[joint] = local[joint] @ turn
        return forward_kinematics(self.parents, local) @ torch.linalg.inv(rest)

    def skin_weights(self, vertices: Float[Tensor, "v 3"], width: float) -> Float[Tensor, "v j"]:
        """Weights that fall off with the distance to each bone: softmax(−distance/width)."""
        bones = zip(self.positions.tolist(), self.ends.tolist(), strict=True)
        thin = [shapes.capsule(start, end, 1e-6)(vertices) for start, end in bones]
        return torch.softmax(-torch.stack(thin, dim=1) / width, dim=1)


def arm(bones: int = 2, radius: float = 0.22, resolution: int = 64) -> tuple[Mesh, Skeleton]:
    """A straight tube along x from −0.9 to 0.9 with equal bones in a row, closed and round."""
    line = torch.linspace(-0.7, 0.7, bones + 1)
    joints = torch.stack([line, torch.zeros_like(line), torch.zeros_like(line)], dim=1)
    names = tuple(f"bone {i}" for i in range(bones))
    skeleton = Skeleton(names, tuple(range(-1, bones - 1)), joints[:-1], joints[1:])
    tube = shapes.capsule((-0.7, 0, 0), (0.7, 0, 0), radius)
    return grid_to_mesh(tube(lattice(resolution))), skeleton


FIGURE = {  # joint -> (parent, start of its bone, end, radius)
    "hips": ("", (0, -0.02, 0), (0, 0.1, 0), 0.17),
    "chest": ("hips", (0, 0.1, 0), (0, 0.36, 0), 0.165),
    "head": ("chest", (0, 0.65, 0), (0, 0.7, 0), 0.15),
    "left upper arm": ("chest", (0.22, 0.42, 0), (0.52, 0.42, 0), 0.075),
    "left forearm": ("left upper arm", (0.52, 0.42, 0), (0.84, 0.42, 0), 0.065),
    "right upper arm": ("chest", (-0.22, 0.42, 0), (-0.52, 0.42, 0), 0.075),
    "right forearm": ("right upper arm", (-0.52, 0.42, 0), (-0.84, 0.42, 0), 0.065),
    "left thigh": ("hips", (0.12, -0.06, 0), (0.13, -0.46, 0), 0.095),
    "left shin": ("left thigh", (0.13, -0.46, 0), (0.13, -0.86, 0), 0.08),
    "right thigh": ("hips", (-0.12, -0.06, 0), (-0.13, -0.46, 0), 0.095),
    "right shin": ("right thigh", (-0.13, -0.46, 0), (-0.13, -0.86, 0), 0.08),
}


def figure(resolution: int = 64) -> tuple[Mesh, Skeleton]:
    """A little person with arms spread, as a closed mesh, and its skeleton of eleven bones."""
    names = tuple(FIGURE)
    parents = tuple(names.index(parent) if parent else -1 for parent, *_ in FIGURE.values())
    starts, ends = (
        torch.tensor([bone[k] for bone in FIGURE.values()], dtype=torch.float32) for k in (1, 2)
    )
    limbs = [shapes.capsule(start, end, radius) for _, start, end, radius in FIGURE.values()]
    body = reduce(lambda body, limb: shapes.smooth_union(body, limb, 0.08), limbs)
    return grid_to_mesh(body(lattice(resolution))), Skeleton(names, parents, starts, ends)


def walk(phase: float) -> dict[str, Float[Tensor, "4 4"]]:
    """The turns of the figure's joints at `phase` of a step cycle, 0 to 1."""
    swing = math.sin(2 * math.pi * phase)
    turns = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ahead = sign * swing
        turns[f"{side} thigh"] = rotation(0, -32 * ahead)
        turns[f"{side} shin"] = rotation(0, 12 + 28 * max(0.0, -ahead))
        down = rotation(2, -sign * 72)  # from spread to hanging
        turns[f"{side} upper arm"] = rotation(0, 28 * ahead) @ down
        turns[f"{side} forearm"] = rotation(1, -sign * (20 + 15 * max(0.0, ahead)))
    return turns
