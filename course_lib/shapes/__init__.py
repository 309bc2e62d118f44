"""Signed distance functions: primitives, set operations, transforms, and families of objects.

A signed distance function (SDF) is a callable from points (..., 3) to distances (...), negative
inside and positive outside, in the units of the points. Dtype and device are those of the points
that it is called with; y is up.
"""

from course_lib.shapes.csg import (
    difference,
    intersection,
    mirror,
    offset,
    rotate,
    scale,
    shell,
    smooth_union,
    translate,
    union,
)
from course_lib.shapes.families import FAMILIES, Shape, make_shape
from course_lib.shapes.primitives import (
    Sdf,
    box,
    capsule,
    components,
    cone,
    cylinder,
    length,
    rounded_box,
    sphere,
    torus,
    triple,
)
