"""Shapes as pictures: views on a sphere of cameras, visual hulls, multi-plane images."""

from course_lib.views.multi_plane import (
    mpi_from_depth,
    over_composite,
    plane_depths,
    plane_homography,
    render_mpi,
)
from course_lib.views.multi_view import Views, render_views, view_pool, visual_hull
