"""Interactive views with labelled controls, and a static twin for those without a kernel.

widgets.view3d(mesh, points, alt="A torus and 2,000 points on it.")

def update(level, shape):
    return [viz.Scene(march(shape, level), title="mesh"), viz.render_voxels(grid(shape, level))]

widgets.explore(update, {"level": (2, 6, 4), "shape": ["torus", "box"]},
                alt="A shape as a mesh and as voxels at 2ˡᵉᵛᵉˡ cells per side.")

`controls` makes the sliders; `explorer` computes anew when one moves (of moves made meanwhile only the
newest); `live` draws in three dimensions; `page_scripts` does in the page what Python cannot.
"""

from course_lib.widgets.controls import log_slider
from course_lib.widgets.explorer import Explorer, explore, view3d
from course_lib.widgets.splats import view_splats
