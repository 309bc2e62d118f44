"""Meshes from files and into files; what is read, refused and ignored: the table in `formats`."""

from os import PathLike

from course_lib.meshes.mesh import Mesh


def load_mesh(path: str | PathLike) -> Mesh:
    """Read an OBJ, OFF, PLY or STL file; ValueError names the file and what is wrong in it."""
    return Mesh.load(path)


def save_mesh(mesh: Mesh, path: str | PathLike) -> None:
    """Write an OBJ, OFF, PLY or STL file; the ending of the name decides which."""
    mesh.save(path)
