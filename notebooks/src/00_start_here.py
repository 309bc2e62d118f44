# %% [markdown]
# # 0 · Start here
# **In five minutes** you know whether everything works on this machine, how exercises work, and
# where to find what. You need nothing but this page: no download, no GPU, no account.

# %% [setup]

# %% [markdown]
# ## 0.1 Does everything work?
# Run the cells one after the other: click into one and press **Shift + Enter**. The first one
# above said *Ready*; the next draws a shape that you can turn with the mouse.

# %%
from course_lib import meshes, widgets

widgets.view3d(meshes.torus(), alt="A blue torus seen from above at an angle")

# %% [markdown]
# You should see a torus that turns when you drag it. If you see only a still picture, widgets do
# not work here: run `python -m course_lib doctor` in a terminal, which says what is missing. The
# course works without them, every view has its picture.

# %% [markdown]
# ## 0.2 How do exercises work?
# An exercise is a function to write. You get its name, its arguments and what it should return;
# you replace `raise NotImplementedError` by your code, run the cell, and run the cell below it,
# which checks your function on several inputs and says what it found.
#
# *Your task:* the centre of each point cloud of a batch. `points` has the shape `(b, n, 3)`:
# b clouds of n points with three coordinates.

# %% [exercise] centroid

# %% [markdown]
# Try it wrongly, too: return `points.sum(dim=1)`, or `points.mean(dim=0)`. The check knows the
# mistakes that people make and names them. As long as your answer is not right, the notebook goes
# on with the reference, so that **Run All always reaches the end**.
#
# Three more helpers: `hint("centroid")` gives a nudge, and a bigger one each time;
# `solution("centroid")` shows the reference; `progress()` shows where you stand.

# %%
hint("centroid")

# %%
progress()

# %% [markdown]
# ## 0.3 The conventions of the course
# Most lost hours in 3D are lost to a sign or an axis. The course has one set of conventions, and
# this is all of it:
#
# | thing | convention |
# |---|---|
# | world | right-handed, **y is up**; shapes lie in $[-1, 1]^3$ |
# | camera | looks along its own $-z$, with $y$ up and $x$ to the right (as OpenGL and Blender) |
# | `camera_to_world` | a $4 \times 4$ matrix: columns are the camera's $x$, $y$, $z$ axes and its position |
# | image | row 0 is on top; the centre of pixel (column $j$, row $i$) lies at $(j + 0.5,\ i + 0.5)$ |
# | vectors | columns: a point $p$ becomes $M p$ |
# | faces | counter-clockwise seen from outside |
# | signed distance | **negative inside** |
# | voxel $(i, j, k)$ | its centre is $x, y, z = -1 + (2i + 1)/r,\ -1 + (2j + 1)/r,\ -1 + (2k + 1)/r$ with $r$ voxels per side |

# %%
from course_lib import viz

viz.camera_frame()

# %% [markdown]
# *What to see:* the world's axes at the origin, and a camera that looks at it: its $z$ axis points
# **away** from what it sees.

# %% [exercise] axis_that_points_up

# %% [markdown]
# ## 0.4 The letters
# The same letter is the same axis in every formula, shape and function of the course:
#
# | letter | counts | letter | counts |
# |---|---|---|---|
# | b | items of a batch | h, w | rows and columns of an image |
# | n, m | points of one cloud and of another | s | samples along a ray |
# | v, e, f | vertices, edges, faces of a mesh | k | classes, neighbours or examples ("shots") |
# | r | voxels per side of a grid | d | features or coordinates |
#
# ## 0.5 Where is what?
#
# | notebook | what you do there | minutes |
# |---|---|---|
# | [1 · Tabular data as text](01_tabular_as_text.ipynb) | ask a language model about rows of a table | 60 |
# | [2 · Why 3D, and the tasks](02_why_3d.ipynb) | classify, cluster, generate and animate shapes | 60 |
# | [3 · Representations](03_representations.ipynb) | voxels, points, meshes, functions, views: one shape in all of them | 120 |
# | [4 · Losses and metrics](04_losses_and_metrics.ipynb) | measure how wrong a shape is | 90 |
# | [5 · Reconstruction](05_reconstruction.ipynb) | from one picture to a shape, in four ways | 90 |
# | [6 · Rendering](06_rendering.ipynb) | make pictures, and learn shapes and poses from them | 75 |
# | [7 · NeRF](07_nerf.ipynb) | a scene as a function, learned from photographs | 90 |
#
# Each notebook runs on its own, so begin where you like. The minutes are for reading and doing the
# exercises; the computer's own time is under ten minutes everywhere.
