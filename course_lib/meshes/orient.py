"""Which faces of a mesh point the other way than their neighbours, and whether all can agree."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_lib.meshes.links import linked
from course_lib.meshes.mesh import directed_edges, undirected_edges


class Orientation(NamedTuple):
    """The faces to turn so that neighbours agree, and whether that is possible everywhere."""

    turned: Bool[Tensor, "f"]
    possible: bool


def orientation(faces: Int[Tensor, "f 3"]) -> Orientation:
    """Which faces to turn so that neighbours run along their common edge in opposite directions.

    Neighbours share an edge of exactly two faces. Each face is two nodes, as it is and turned; links
    join what fits together. In an orientable patch the nodes fall into two components, and the one
    with more faces "as they are" is taken; a Möbius band has one component, and nothing is turned.

    >>> orientation(torch.tensor([[0, 1, 2], [0, 2, 3], [0, 4, 3]])).turned
    tensor([False, False,  True])
    """
    f, device, faces = len(faces), faces.device, faces.cpu()
    a, b = directed_edges(faces).unbind(1)
    face = torch.arange(f).repeat(3)
    _, index, uses = undirected_edges(faces)
    order = index.argsort(stable=True)
    order = order[uses[index[order]] == 2].reshape(-1, 2)  # (shared edges, 2): its directed edges
    left, right = face[order[:, 0]], face[order[:, 1]]
    same = (a < b)[order[:, 0]] == (a < b)[order[:, 1]]  # both run the same way: one is turned
    # Node n is face n as it is, node n + f is face n turned: linked with the neighbour's node that fits.
    cross = torch.where(same, f, 0)
    i, j = torch.cat((left, left + f)), torch.cat((right + cross, right + f - cross))
    _, component = linked(i, j, 2 * f)
    as_is, flipped = component[:f], component[f:]  # equal for a face that need be both: Möbius
    size = torch.zeros(2 * f, dtype=torch.int64).index_add_(0, as_is, torch.ones_like(as_is))
    worse = (size[as_is] < size[flipped]) | ((size[as_is] == size[flipped]) & (as_is > flipped))
    two_sided = as_is != flipped
    return Orientation((worse & two_sided).to(device), bool(two_sided.all()))
