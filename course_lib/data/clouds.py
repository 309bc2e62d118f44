"""Point clouds of the procedural families, for classification and clustering."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.meshes import sample_surface
from course_lib.shapes import make_shape


def family_clouds(
    families: Sequence[str], seeds: Iterable[int], n: int, *, resolution: int = 32
) -> tuple[Float[Tensor, "b n 3"], Int[Tensor, "b"]]:
    """Clouds of n surface points of every family and seed, and the number of each cloud's family.

    The clouds stand upright, as the shapes do; same arguments, same clouds. All seeds of the first
    family come first.
    """
    clouds, labels = [], []
    seeds = list(seeds)
    for label, family in enumerate(families):
        for seed in seeds:
            generator = torch.Generator().manual_seed(1000 * label + seed)
            mesh = make_shape(family, seed).mesh(resolution)
            clouds.append(sample_surface(mesh, n, generator=generator)[0])
            labels.append(label)
    return torch.stack(clouds), torch.tensor(labels)
