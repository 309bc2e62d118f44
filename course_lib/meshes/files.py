"""Meshes from files and into files; what is read, refused and ignored: the table in `formats`."""

from os import PathLike

import torch

from course_lib.meshes.formats import read_mesh, write_mesh
from course_lib.meshes.mesh import Mesh


def load_mesh(path: str | PathLike) -> Mesh:
    """Read an OBJ, OFF, PLY or STL file; ValueError names the file and what is wrong in it."""
    vertices, faces = read_mesh(path)
    return Mesh(torch.from_numpy(vertices), torch.from_numpy(faces))


def save_mesh(mesh: Mesh, path: str | PathLike) -> None:
    """Write an OBJ, OFF, PLY or STL file; the ending of the name decides which."""
    write_mesh(mesh.vertices.detach().cpu().numpy(), mesh.faces.cpu().numpy(), path)
