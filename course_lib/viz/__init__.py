"""Pictures, charts and tables, each with words and a static form.

Everything is shown at once, wherever in a cell it is called, and hands back a `Figure`:

    viz.gallery([viz.render_mesh(mesh), viz.render_points(points)], ["mesh", "cloud"],
                alt="A torus as a mesh and as 2,000 points.")
    viz.line_chart({"Chamfer": (steps, losses)}, x="step", y="loss", log_y=True,
                   alt="The loss falls a hundredfold in 200 steps.")
    viz.bar_chart({"voxels": 0.4, "mesh": 0.1}, y="error", alt="…")
    viz.table([["sphere", 0.91], ["box", 0.87]], ["shape", "IoU"], "IoU by shape")

`render_mesh`, `render_points`, `render_voxels` and `render` (any mixture of `Item`s) give arrays
(h, w, 3) of uint8. Every figure needs `alt`: what it shows, in one or two sentences.
"""

from course_lib.viz.charts import bar_chart, line_chart, scatter_chart
from course_lib.viz.colors import PALETTE, colormap, rgb
from course_lib.viz.figure import Figure, as_picture
from course_lib.viz.frames import camera_frame, camera_pyramids
from course_lib.viz.gallery import arrange, gallery, image_grid
from course_lib.viz.network import network
from course_lib.viz.pictures import frame_bounds, render, render_mesh, render_points, render_voxels
from course_lib.viz.scene import Item, Scene
from course_lib.viz.tables import table
