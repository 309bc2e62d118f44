"""Meshes as they are found: repaired where that is safe, with a warning that says what was wrong."""

import warnings

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.meshes import Mesh, directed_edges, face_areas, orientation, undirected_edges


def tidy(mesh: Mesh) -> Mesh:
    """Merge vertices at the same place, drop repeated faces, turn faces that point the other way.

    Faces without area go too. In every patch that is connected by ordinary edges (two faces each)
    the majority decides which side is the front. Warns about repeated and turned faces; raises
    ValueError if nothing with an area is left.
    """
    place, index = torch.unique(mesh.vertices.detach(), dim=0, return_inverse=True)
    faces = index[mesh.faces]
    distinct = (faces != faces.roll(1, dims=1)).all(dim=1)
    faces = faces[distinct & (face_areas(Mesh(place.double(), faces)) > 0)]
    if len(faces) == 0:
        raise ValueError(f"expected a mesh with area, got {len(mesh.faces)} faces without any")
    kept = _without_repeats(faces)
    if len(kept) < len(faces):
        _warn(
            f"{len(faces) - len(kept)} of {len(faces)} faces are there twice; one of each is used"
        )
    turned = orientation(kept).turned
    if bool(turned.any()):
        _warn(f"{int(turned.sum())} of {len(kept)} faces point the other way; they were turned")
        kept = torch.where(turned[:, None], kept.flip(1), kept)
    return Mesh(place, kept)


def is_closed(mesh: Mesh) -> bool:
    """True if every edge is run along as often in one direction as in the other: no boundary.

    Weaker than watertight: edges of four faces, where two solids touch, are allowed.
    """
    a, b = directed_edges(mesh.faces).unbind(1)
    _, index, _ = undirected_edges(mesh.faces)
    ways = torch.zeros_like(a).index_add_(0, index, torch.sign(b - a))
    return bool((ways == 0).all())


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def _without_repeats(faces: Int[Tensor, "f 3"]) -> Int[Tensor, "g 3"]:
    """The first face of each set of three corners."""
    _, group = torch.unique(faces.sort(dim=1).values, dim=0, return_inverse=True)
    number = torch.arange(len(faces), device=faces.device)
    first = torch.full_like(number, len(faces)).scatter_reduce_(0, group, number, "amin")
    return faces[first[group] == number]
