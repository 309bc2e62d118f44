"""The pieces that a graph falls into."""

import torch
from jaxtyping import Int
from torch import Tensor


def linked(
    i: Int[Tensor, "links"], j: Int[Tensor, "links"], count: int
) -> tuple[int, Int[Tensor, "{count}"]]:
    """The number of connected pieces of a graph of `count` nodes, and the piece of each node.

    Node i[k] is linked with node j[k].

    >>> linked(torch.tensor([0, 3]), torch.tensor([2, 1]), 4)
    (2, tensor([0, 1, 0, 1]))
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((torch.ones(len(i)).numpy(), (i.numpy(), j.numpy())), shape=(count, count))
    number, piece = connected_components(links, directed=False)
    return int(number), torch.from_numpy(piece).long()
