# %% [markdown]
# # 0 · Start here
# **In five minutes** you know whether everything works on this machine, how exercises work, and where to
# find what. You need nothing but this page: no data, no GPU, no account (but Google's, in Colab).

# %% [setup]

# %% [markdown]
# ## 0.1 Does everything work?
# Run the cells one after the other: click into one and press **Shift + Enter**. The first one
# above said *Ready*; the next draws a shape that you can turn with the mouse.

# %%
from course_lib import meshes, widgets

widgets.view3d(meshes.torus(), alt="A blue torus seen from above at an angle")

# %% [markdown]
# You should see a torus that turns when you drag it. If you see only a still picture, widgets do not
# work here: run `python -m course_lib doctor` in a terminal, which looks for what is missing. The course
# works without them, every view has its picture.
#
# The wheel scrolls the page until you click a view; then it brings the shape nearer. The mouse is not
# needed: the arrow keys turn the view that you reach with Tab, + and − bring it nearer and farther; the
# left and right arrows move the slider that you are on, and in a menu the space bar opens it, the arrows
# choose, and Enter takes.

# %% [markdown]
# ## 0.2 How do exercises work?
# Most exercises are a function to write. You get its name, its arguments and what it should return; you
# replace `raise NotImplementedError` by your code, run the cell, and run the cell below it, which checks
# your function on several inputs and says what it found.
#
# **Exercise [[centroid]].** Write `centroid`: the centre of each point cloud of a batch. `points` has the shape
# `(b, n, 3)`: b clouds of n points with three coordinates.

# %% [exercise] centroid

# %% [markdown]
# Try it wrongly, too: return `points.sum(dim=1)`, or `points.mean(dim=0)`. The check knows many mistakes
# that people make and names them. A function returns something new and leaves its arguments as they
# were. As long as your answer is not right, the notebook goes on with the reference, so that **Run All
# reaches the end**, unless your cell itself stops with an error.
#
# Three more helpers: `hint("centroid")` gives a nudge, and the next time a bigger one, up to the last;
# `solution("centroid")` shows the reference; `progress()` shows where you stand in the whole course. It
# remembers from day to day (in Colab with your Drive mounted) what the last check of each exercise
# found, in a small file of yours (`progress(forget=True)` begins anew). To hand your answers in, run
# `python -m course_lib collect` in a terminal, in the folder of the notebooks: it makes one file of your
# cells, without outputs and traces of your machine, and says what is in it.

# %%
hint("centroid")

# %%
progress()

# %% [markdown]
# ## 0.3 The conventions of the course
# Many hours in 3D are lost to a sign or an axis. The course has one set of conventions, and says so
# where another one is in use:
#
# | thing | convention |
# |---|---|
# | world | right-handed, **y is up**; shapes lie in $[-1, 1]^3$, with few exceptions (about one lamp in six stands out on top, and is cut off there) |
# | camera | looks along its own $-z$, with $y$ up and $x$ to the right (as OpenGL and Blender) |
# | `camera_to_world` | a $4 \times 4$ matrix: columns are the camera's $x$, $y$, $z$ axes and its position |
# | image | row 0 is on top; the centre of pixel (column $j$, row $i$) lies at $(j + 0.5,\ i + 0.5)$ |
# | vectors | columns: a point $p$ becomes $M p$ |
# | faces | counter-clockwise seen from outside |
# | signed distance | **negative inside** |
# | voxel $(i, j, k)$ | its centre is $x = -1 + (2i + 1)/r$, $y = -1 + (2j + 1)/r$, $z = -1 + (2k + 1)/r$ with $r$ voxels per side |

# %%
from course_lib import viz

viz.camera_frame()

# %% [markdown]
# *What to see:* the world's axes at the origin, and a camera that looks at it: its $z$ axis points
# **away** from what it sees.
#
# **Question [[axis_that_points_up]].** Which axis of the world points up? Answer with the letter before what you
# choose, in quotes, as `"A"`: so it is with all questions but a few that ask for a number.

# %% [exercise] axis_that_points_up

# %% [markdown]
# ## 0.4 The letters
# In the shapes of arrays, such as (b, n, 3), a letter as a rule stands for the same axis all over the
# course:
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
# | [1 · Tabular data as text](01_tabular_as_text.ipynb) | ask a language model about rows of a table | 85 |
# | [2 · Why 3D, and the tasks](02_why_3d.ipynb) | classify, cluster, generate and animate shapes | 85 |
# | [3 · Representations](03_representations.ipynb) | voxels, points, meshes, functions, views: one shape in all of them | 165 |
# | [4 · Losses and metrics](04_losses_and_metrics.ipynb) | measure how wrong a shape is | 90 |
# | [5 · Reconstruction](05_reconstruction.ipynb) | from one picture to a shape, in four ways | 85 |
# | [6 · Rendering](06_rendering.ipynb) | make pictures, and learn shapes and poses from them | 95 |
# | [7 · NeRF](07_nerf.ipynb) | a scene as a function, learned from photographs | 125 |
# | [8 · Gaussian splatting](08_splatting.ipynb) | *beyond the lecture:* a scene as a cloud of soft points, and what came after each slide | 65 |
#
# Each notebook runs on its own, so begin where you like, also in the middle: after a restart a section
# needs the set-up and the cells above the first section, and says so where it needs more. An exercise
# that you have not run then stands for its reference. The minutes, like how hard an exercise is, are our
# estimates, not measured. They are for reading and doing the exercises; the computer's own time is under
# ten minutes everywhere. It is said at the top and beside most cells that train, for two CPU cores,
# often also for the T4 GPU that Colab lends for free. The times for the T4 are estimates: nobody has
# measured them. Those for two cores are of one machine with nothing else to do. On a slower or a busy
# one it can take several times as long.

# %% [markdown]
# ## 0.6 Glossary
#
# | word | meaning |
# |---|---|
# | barycentric coordinates | the three weights, adding up to 1, that make a point of a triangle from its corners |
# | Chamfer distance | mean squared distance from each point to the nearest one of the other cloud, both ways |
# | compositing | adding up colours along a ray, each dimmed by what lies before it |
# | covariance | the matrix that says how wide a Gaussian is in each direction, in squared lengths |
# | density σ | how much light a radiance field stops per unit of length |
# | embedding | a vector that stands for a thing; similar things should get similar vectors |
# | few-shot, zero-shot | learning from a handful of labelled examples; from none |
# | Gaussian, splat | a soft blob in space, with mean, covariance, opacity and colour; its picture |
# | implicit function | a shape given by a function of space: inside or outside, or how far from the surface |
# | floater | what a field hangs into empty space, mostly where few photographs look |
# | IoU | intersection over union: the common part of two volumes, divided by what they fill together |
# | isosurface, marching cubes | where a function has a given value; the algorithm that makes a mesh of it |
# | LoRA | fine-tuning by adding a product of two thin matrices to frozen weights |
# | manifold, watertight | every edge has at most two faces, and the faces around a vertex form one fan; every edge has exactly two faces, so that none is open |
# | normal | the direction of unit length that stands at right angles to a surface, pointing outwards |
# | point cloud | a set of points, in no order and without connections |
# | pose | where a camera or a thing is, and how it is turned |
# | prompt | the text that a language model is asked to go on with |
# | rasterising | finding the pixels that a triangle covers |
# | ray | origin plus distance times direction: what a pixel sees |
# | regulariser | a loss that does not know the truth, but prefers plausible answers |
# | serialisation | writing a row of a table as text |
# | SDF | signed distance function: the distance to the surface, negative inside |
# | transmittance | the share of light that gets through from the camera to a point |
# | voxel | a cell of a regular grid in space, as a pixel is one in a picture |
#
# ## 0.7 References
# What the notebooks cite or follow, each under a notebook that uses it.
#
# | | who | what |
# |---|---|---|
# | 1 | Hegselmann et al. 2023 | [TabLLM: few-shot classification of tabular data with LLMs](https://arxiv.org/abs/2210.10723) |
# | 1 | Hu et al. 2022 | [LoRA: low-rank adaptation of large language models](https://arxiv.org/abs/2106.09685) |
# | 1 | Liu et al. 2022 | [Few-shot parameter-efficient fine-tuning is better and cheaper than in-context learning (IA3)](https://arxiv.org/abs/2205.05638) |
# | 1 | Gorishniy et al. 2021 | [Revisiting deep learning models for tabular data](https://arxiv.org/abs/2106.11959) |
# | 2 | Qi et al. 2017 | [PointNet](https://arxiv.org/abs/1612.00593) |
# | 2 | Achlioptas et al. 2018 | [Learning representations and generative models for 3D point clouds](https://arxiv.org/abs/1707.02392) |
# | 2 | Park et al. 2019 | [DeepSDF](https://arxiv.org/abs/1901.05103) |
# | 2 | Yang et al. 2019 | [PointFlow](https://arxiv.org/abs/1906.12320) |
# | 2 | Lipman et al. 2023 | [Flow matching for generative modeling](https://arxiv.org/abs/2210.02747) |
# | 3 | Li et al. 2016 | [FPNN: field probing neural networks, with the slide's shares of occupied voxels](https://arxiv.org/abs/1605.06240) |
# | 3 | Lorensen and Cline 1987 | [Marching cubes](https://doi.org/10.1145/37402.37422) |
# | 3 | Kipf and Welling 2017 | [Graph convolutional networks](https://arxiv.org/abs/1609.02907) |
# | 3 | Su et al. 2015 | [Multi-view convolutional networks (MVCNN)](https://arxiv.org/abs/1505.00880) |
# | 3 | Wu et al. 2015 | [3D ShapeNets, with ModelNet40](https://arxiv.org/abs/1406.5670) |
# | 3 | Chang et al. 2015 | [ShapeNet, with ShapeNetCore](https://arxiv.org/abs/1512.03012) |
# | 3 | Choi et al. 2016 | [A large dataset of object scans (Redwood)](https://arxiv.org/abs/1602.02481) |
# | 3 | Downs et al. 2022 | [Google Scanned Objects](https://arxiv.org/abs/2204.11918) |
# | 3 | Deitke et al. 2023 | [Objaverse](https://arxiv.org/abs/2212.08051) |
# | 3 | Van Oosterom and Strackee 1983 | [The solid angle of a plane triangle](https://doi.org/10.1109/TBME.1983.325207) |
# | 3 | Tucker and Snavely 2020 | [Single-view view synthesis with multi-plane images](https://arxiv.org/abs/2004.11364) |
# | 4 | Gkioxari, Malik and Johnson 2019 | [Mesh R-CNN](https://arxiv.org/abs/1906.02739) |
# | 4 | Cuturi 2013 | [Sinkhorn distances: lightspeed computation of optimal transport](https://arxiv.org/abs/1306.0895) |
# | 4 | Taubin 1995 | [A signal processing approach to fair surface design](https://doi.org/10.1145/218380.218473) |
# | 5 | Choy et al. 2016 | [3D-R2N2](https://arxiv.org/abs/1604.00449) |
# | 5 | Girdhar et al. 2016 | [TL-embedding: a predictable and generative vector for objects](https://arxiv.org/abs/1603.08637) |
# | 5 | Fan, Su and Guibas 2017 | [PSGN: a point set generation network](https://arxiv.org/abs/1612.00603) |
# | 5 | Wang et al. 2018 | [Pixel2Mesh](https://arxiv.org/abs/1804.01654) |
# | 5 | Mescheder et al. 2019 | [Occupancy Networks](https://arxiv.org/abs/1812.03828) |
# | 5 | Tatarchenko et al. 2019 | [What do single-view 3D reconstruction networks learn?](https://arxiv.org/abs/1905.03678) |
# | 5 | Lewiner et al. 2003 | [Efficient implementation of marching cubes' cases with topological guarantees](https://doi.org/10.1080/10867651.2003.10487582) |
# | 6 | Catmull 1974 | A subdivision algorithm for computer display of curved surfaces (thesis; the z-buffer) |
# | 6 | Pineda 1988 | [A parallel algorithm for polygon rasterization](https://doi.org/10.1145/54852.378457) |
# | 6 | Hart 1996 | [Sphere tracing (The Visual Computer)](https://doi.org/10.1007/s003710050084) |
# | 6 | Liu et al. 2019 | [Soft Rasterizer](https://arxiv.org/abs/1904.01786) |
# | 7 | Max 1995 | [Optical models for direct volume rendering](https://doi.org/10.1109/2945.468400) |
# | 7 | Mildenhall et al. 2020 | [NeRF](https://arxiv.org/abs/2003.08934) |
# | 7 | Fridovich-Keil et al. 2022 | [Plenoxels](https://arxiv.org/abs/2112.05131) |
# | 7 | Sun et al. 2022 | [Direct voxel grid optimization (DVGO)](https://arxiv.org/abs/2111.11215) |
# | 7 | Müller et al. 2022 | [instant-ngp: multiresolution hash encoding](https://arxiv.org/abs/2201.05989) |
# | 7 | Chen et al. 2022 | [TensoRF](https://arxiv.org/abs/2203.09517) |
# | 7 | Yariv et al. 2021 | [VolSDF: volume rendering of neural implicit surfaces](https://arxiv.org/abs/2106.12052) |
# | 7 | Wang et al. 2021 | [NeuS](https://arxiv.org/abs/2106.10689) |
# | 7 | Shen et al. 2021 | [DMTet: deep marching tetrahedra](https://arxiv.org/abs/2111.04276) |
# | 7 | Shen et al. 2023 | [FlexiCubes](https://arxiv.org/abs/2308.05371) |
# | 7 | Barron et al. 2022 | [mip-NeRF 360](https://arxiv.org/abs/2111.12077) |
# | 7 | Barron et al. 2023 | [Zip-NeRF](https://arxiv.org/abs/2304.06706) |
# | 7 | Kerbl et al. 2023 | [3D Gaussian splatting](https://arxiv.org/abs/2308.04079) |
# | 8 | Zwicker et al. 2001 | [EWA volume splatting](https://doi.org/10.1109/VISUAL.2001.964490) |
# | 8 | Kheradmand et al. 2024 | [3D Gaussian splatting as Markov chain Monte Carlo](https://arxiv.org/abs/2404.09591) |
# | 8 | Yu et al. 2024 | [Mip-Splatting](https://arxiv.org/abs/2311.16493) |
# | 8 | Huang et al. 2024 | [2D Gaussian splatting](https://arxiv.org/abs/2403.17888) |
# | 8 | Curless and Levoy 1996 | [A volumetric method for building complex models from range images](https://doi.org/10.1145/237170.237269) |
# | 8 | Hollmann et al. 2023, 2025 | [TabPFN](https://arxiv.org/abs/2207.01848); [Accurate predictions on small data with a tabular foundation model](https://doi.org/10.1038/s41586-024-08328-6) |
# | 8 | Hong et al. 2024 | [LRM: large reconstruction model](https://arxiv.org/abs/2311.04400) |
# | 8 | Wang et al. 2024 | [DUSt3R](https://arxiv.org/abs/2312.14132) |
# | 8 | Wang et al. 2025 | [VGGT: visual geometry grounded transformer](https://arxiv.org/abs/2503.11651) |
# | 8 | Nichol et al. 2022 | [Point-E](https://arxiv.org/abs/2212.08751) |
# | 8 | Poole et al. 2023 | [DreamFusion](https://arxiv.org/abs/2209.14988) |
