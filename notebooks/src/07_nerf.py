# %% [markdown]
# # 7 · NeRF: a scene from photographs
# **You will be able to** say what a radiance field is; write every step from a pixel to its
# colour: ray, samples, encoding, weights, blend; train two fields on the same photographs, the
# network of the lecture and a grid that needs seconds; look at the scene from where no photograph
# was taken; find out why a training fails; and take a mesh home.
#
# *About 125 minutes with the exercises, 40 without. You need PyTorch; notebook 6 explains cameras. Runs
# in about 5 minutes on two CPU cores. Most trainings are given seconds, not steps: on a Colab T4 these
# take as long and get further (an estimate, not measured).*

# %% [setup]

# %%
import math
import textwrap
from dataclasses import replace
from functools import partial

import torch.nn.functional as F

from course_lib import cameras, losses, meshes, nerf, viz, widgets
from course_lib.data.scenes import load_scene
from course_lib.running import Budget, budget
from course_lib.shipped import asset
from course_lib.stable import safe_divide  # safe_divide(a, b, otherwise=0.0): 0 where b is 0
from course_lib.volume import Composite, optical_depth

folder = None  # the course's own scene, or the folder of your photographs: see the end of 7.8
scale = budget(1, 2)  # photographs of half the size where time is short
photos = load_scene(folder, downscale=scale).to(DEVICE)
test = load_scene(folder, split="test", downscale=scale).to(DEVICE)
one = len(test) * 7 // 20  # the test photograph that is looked at
pixels = " × ".join(map(str, photos.size))
print(f"{len(photos)} photographs of {pixels} pixels, {len(test)} more for testing")

# %% [markdown]
# ## 7.1 The field
# *Slides "NeRF (Neural Radiance Fields)".* We have photographs of one scene, and know for each
# where the camera stood and where it looked. We want to see the scene from elsewhere.

# %%
viz.image_grid(photos.colors()[::9], height=100, alt="Twelve photographs of a table with a mug, a "
               "lamp, a bowl of fruit, books, a ring and a ball, from all sides.")  # fmt: skip

# %% [markdown]
# NeRF (Mildenhall et al. 2020) stores the scene in a function, the **radiance field**
#
# $$F_\Theta : (x, y, z, \theta, \phi) \to (R, G, B, \sigma)$$
#
# - $(x, y, z)$: a point in space; $(\theta, \phi)$: a direction from which it is looked at;
# - $(R, G, B)$: the colour that it shows in that direction;
# - $\sigma \ge 0$: the **density** there, per unit of length: a ray that travels the short way
#   $\delta$ through it is stopped with probability $\sigma\delta$;
# - $\Theta$: what is learned: the weights of a network, or numbers on a grid.
#
# > **Slide check.** The slide's arrow suggests that all four outputs depend on all five inputs.
# > In NeRF the density must *not* depend on the direction, and the network is built so that it
# > cannot. Also, NeRF's code does not use the angles $\theta, \phi$, which jump at the poles, but
# > the unit vector $d$ with three numbers.
#
# **Question [[why_density_ignores_the_view]].** Why must $\sigma$ not depend on the direction?

# %% [exercise] why_density_ignores_the_view

# %% [markdown]
# ## 7.2 A ray for each pixel
# *Slide "NeRF", the pipeline's first box.* Pixel (row $i$, column $j$) looks along the ray
# $r(t) = o + t\,d$, with $o$ the position of the camera, $d$ a direction of length 1, $t$ the
# distance. In the camera's own axes (x right, y up, looking along $-z$)
#
# $$d' = \left(\frac{j + 0.5 - w/2}{f},\; -\frac{i + 0.5 - h/2}{f},\; -1\right), \qquad
#   d = \frac{R\,d'}{\lVert d' \rVert}$$
#
# - $h, w$: height and width of the image, $f$ its focal length, all in pixels;
# - $R$: the upper left $3 \times 3$ of the matrix `camera_to_world`; its last column is $o$.
#
# **Exercise [[camera_rays]].** Write `camera_rays`.

# %% [exercise] camera_rays

# %% [markdown]
# Here are the cameras of our photographs (blue) on a dome around the scene (the cube), and the rays of
# the four corners of one photograph.

# %%
height, width = photos.size
focal = photos.intrinsics[0, 0].item()
origins, directions = camera_rays(height, width, focal, photos.camera_to_world[0].cpu())
corners = torch.stack([origins, origins + 4 * directions], dim=-2)[:: height - 1, :: width - 1]
widgets.view3d(
    viz.Item(viz.camera_pyramids(photos.camera_to_world, 0.3), size=0.02), corners.reshape(-1, 2, 3),
    viz.Item(meshes.box(2.0), opacity=0.3), alt="Cameras on a dome around a cube, and four rays from one of them.")  # fmt: skip

# %% [markdown]
# ## 7.3 Positional encoding
# *Slide "NeRF", $\gamma$.* A small network learns smooth functions first, and a scene is not smooth. So
# the point enters the network as waves of doubling frequency. (Of several coordinates each entry below
# is a vector: the sines of all, then the cosines of all.)
#
# $$\gamma(x) = \left(\sin 2^0\pi x,\ \cos 2^0\pi x,\ \ldots,\ \sin 2^{L-1}\pi x,\ \cos 2^{L-1}\pi x\right)$$
#
# $L$ is the number of frequencies: 10 for positions and 4 for directions in the paper. Why does it
# help? By $\sin a \sin b + \cos a \cos b = \cos(a - b)$,
#
# $$\gamma(x) \cdot \gamma(y) = \sum_{k=0}^{L-1} \cos 2^k \pi (x - y):$$
#
# how alike two encoded points are depends on their difference alone, and the more sharply the larger $L$
# is.
#
# **Exercise [[positional_encoding]].** Write `positional_encoding`.

# %% [exercise] positional_encoding

# %%
x = torch.linspace(-1, 1, 201)[:, None]
curves = {}
for n_frequencies in (1, 3, 6):
    code = positional_encoding(x, n_frequencies)
    curves[f"L = {n_frequencies}"] = (x[:, 0], code @ code[100] / n_frequencies)
viz.line_chart(curves, x="x", y="γ(x) · γ(0) / L", alt="Likeness of encoded points to that of 0: "
               "a peak at 0 that becomes narrower with L.")  # fmt: skip

# %% [markdown]
# *What to see:* with more frequencies, points that lie close look less alike to the network. With very
# many, even close neighbours agree in the low frequencies only: the field may become noisy.

# %% [markdown]
# ### The network
# *Slide "NeRF", the box $F_\Theta$.* `nerf.RadianceMLP` holds the layers; you say how the numbers run
# through them (as in figure 7 of the paper, but with a softplus, and $x$ and $d$ themselves beside their
# encodings, as in the authors' code):
#
# $$\begin{aligned}
# h_0 &= [x, \gamma(x)] \\
# h_{i+1} &= \mathrm{relu}(W_i h_i + b_i) \\
# \sigma &= \mathrm{softplus}(\texttt{density}(h) - 1) \\
# c &= \mathrm{sigmoid}(\texttt{color}([\texttt{feature}(h), d, \gamma(d)]))
# \end{aligned}$$
#
# - $W_i, b_i$: layer $i$ of `network.trunk`; before layer `network.skip` (if that is not 0) the encoded
#   point $h_0$ is appended to $h_i$ once more;
# - $h$: what the last layer gives; `density`, `feature` (without ReLU) and `color` are layers of the network;
# - $\gamma$: your encoding, with `network.position_frequencies` and `network.direction_frequencies`;
# - $[\cdot]$: joined along the last axis; softplus is $\log(1 + e^x)$, a relu without a dead corner (the
#   paper has relu).
#
# The direction enters after the density has left: that is how $\sigma$ cannot depend on it.
#
# **Exercise [[query_field]].** Write `query_field` for $n$ points and directions $(n, 3)$. It returns $\sigma$ $(n,)$
# and $c$ $(n, 3)$.

# %% [exercise] query_field

# %%
network = nerf.RadianceMLP()  # the paper's: 8 layers of 256
x, d = torch.zeros(2, 3), torch.eye(3)[:2]
with torch.no_grad():
    sigma, color = query_field(network, x, d)
print("one point from two sides: σ", [round(s, 4) for s in sigma.tolist()])
print(f"{sum(p.numel() for p in network.parameters()):,} numbers in the network")

# %% [markdown]
# ## 7.4 Samples along a ray
# *Slide "NeRF", the dots on the ray.* The colour of a pixel will be an integral along its ray,
# computed from samples. NeRF cuts $[t_n, t_f]$ into $s$ equal bins and draws one sample in each:
#
# $$t_i = t_n + \frac{i + u_i}{s}\,(t_f - t_n), \qquad u_i \in [0, 1) \text{ random},\quad i = 0, \ldots, s - 1$$
#
# Why not at fixed places? Between them a field could hide mistakes; over the training random ones can
# come to every place. Why bins at all? Free random samples often leave larger gaps.
#
# **Exercise [[stratified_positions]].** Write `stratified_positions`: $u$ has the shape $(n, s)$ for $n$ rays.

# %% [exercise] stratified_positions

# %%
u = torch.rand(12, 16, generator=torch.Generator().manual_seed(0))
rows = {
    "stratified": stratified_positions(torch.tensor(2.0), torch.tensor(6.0), u),
    "free": 2 + 4 * u,
}
series = {
    k: (t.flatten(), torch.arange(12.0).repeat_interleave(16) + (k == "free") * 0.3)
    for k, t in rows.items()
}
viz.scatter_chart(series, x="distance t", y="ray", alt="Samples of twelve rays: stratified ones "
                  "are spread evenly, free ones leave gaps.")  # fmt: skip

# %% [markdown]
# *What to see:* every ray has its own places. Stratified samples (one in each sixteenth of the ray) cover
# it evenly; free ones crowd here and leave gaps there.
#
# ## 7.5 From samples to a colour
# *Slide "NeRF", volume rendering.* Let $T(t)$ be the share of the light that gets as far as $t$. On the short
# way $dt$ the share $\sigma(t)\,dt$ of it is stopped (7.1), so
#
# $$T(t + dt) = T(t)\,(1 - \sigma(t)\,dt) \;\Rightarrow\; \frac{T'}{T} = (\log T)' = -\sigma,$$
#
# $$T(t) = \exp\Big(-\int_{t_n}^{t} \sigma(s)\,ds\Big), \quad\text{as } T(t_n) = 1.$$
#
# The pixel's colour adds up what arrives, times what is stopped there, times its colour $c$; what
# gets through all shows the background:
#
# $$C = \int_{t_n}^{t_f} T(t)\,\sigma(t)\,c(t)\,dt + T(t_f)\,c_\text{background}.$$
#
# Now let $\sigma_i$ and $c_i$ be constant on the interval $i$ of length $\delta_i$, where the share $T_i$ arrives.
# It gives $\int_0^{\delta_i} T_i\,e^{-\sigma_i s} \sigma_i c_i\,ds = T_i\,(1 - e^{-\sigma_i\delta_i})\,c_i$, and the
# integral has become the slide's sum:
#
# $$\begin{gathered}
# T_i = \exp\Big(-\sum_{j<i}\sigma_j\delta_j\Big), \qquad w_i = T_i\,(1 - e^{-\sigma_i\delta_i}), \\
# \hat C = \sum_i w_i c_i + \Big(1 - \sum_i w_i\Big)\,c_\text{background}
# \end{gathered}$$
#
# - $T_i$: the **transmittance**, the share of the light that gets as far as sample $i$;
# - $w_i$: its **weight**, the share of the pixel that sample $i$ gives;
# - $c_i$: its colour; $\hat C$: the colour of the pixel; $\sum_i w_i$: the ray's opacity.
#
# **Exercises [[compositing_weights]] and [[composite]].** Write `compositing_weights` and `composite`. The latter also gives the
# mean depth $\sum w_i t_i / \sum w_i$ of what the ray met (0 if nothing), and returns the named tuple
# `Composite(color, depth, opacity)`, imported above. The last length $\delta$ of a ray may be 1e10, "as
# far as it goes"; `optical_depth(sigma, deltas)` is $\sigma_i\delta_i$, kept finite whatever they are.

# %% [exercise] compositing_weights

# %% [exercise] composite

# %% [markdown]
# **Question [[slab_opacity]].** A slab of constant density $\sigma = 4$ is $L = 0.5$ thick and cut into 5 equal
# samples. What is its opacity? (To 3 digits.) *Predict:* and with 5,000 samples?

# %% [exercise] slab_opacity

# %%
for pieces in (1, 5, 5000):
    weights = compositing_weights(torch.full((pieces,), 4.0), torch.full((pieces,), 0.5 / pieces))
    print(f"samples: {pieces:5d}   opacity {weights.sum():.4f}")

# %% [markdown]
# *What to see:* the same number each time. The exponential makes the sum exact where the density is
# constant, however it is cut. With $\sigma_i\delta_i$ in place of $1 - e^{-\sigma_i\delta_i}$ it would
# not be.

# %% [markdown]
# ## 7.6 Importance sampling: coarse and fine
# *Slide "NeRF".* Most of a ray is air. NeRF asks a **coarse** network first; the weights $w_i$ of its
# samples (7.5) are a histogram along the ray that says where something is. New samples are drawn from
# that histogram, and a second, **fine** network sees them beside the old ones. To draw from a histogram,
# invert its cumulative sum:
#
# $$\begin{aligned}
# \mathrm{cdf}_k &= \frac{\sum_{i<k} w_i}{\sum_i w_i} \\[1ex]
# t(u) &= b_k + \frac{u - \mathrm{cdf}_k}{\mathrm{cdf}_{k+1} - \mathrm{cdf}_k}\,(b_{k+1} - b_k)
#   \quad\text{with}\quad \mathrm{cdf}_k \le u < \mathrm{cdf}_{k+1}
# \end{aligned}$$
#
# - $b_0 < \ldots < b_s$: the edges of the bins; $w_i$: the weight of the bin between $b_i$ and $b_{i+1}$;
# - $u \in [0, 1)$: a random number for each new sample.
#
# **Exercise [[inverse_cdf]].** Write `inverse_cdf`. A bin of weight zero gets no sample; if all weights are zero,
# take equal ones.

# %% [exercise] inverse_cdf

# %%
edges = torch.linspace(2, 6, 17)
weights = torch.exp(-8 * (edges[:-1] - 4.2) ** 2) + 0.01
fine = inverse_cdf(edges[None], weights[None], (torch.arange(48)[None] + 0.5) / 48)[0]
viz.scatter_chart({"weights of the coarse samples": (edges[:-1] + 0.125, weights),
                   "fine samples": (fine, torch.full_like(fine, -0.1))}, x="distance t", y="weight",
                  alt="A bump of weights around 4.2, and fine samples crowded below it.")  # fmt: skip

# %% [markdown]
# *What to see:* the fine samples (below) crowd where the weights are large. A few go elsewhere, since no
# weight is 0.
#
# ## 7.7 Training: your own NeRF
# The loss is the squared difference between rendered and photographed colours of random pixels.
# Everything is differentiable, so the photographs shape the field. Pictures are judged by their
# **peak signal-to-noise ratio**, in decibels:
#
# $$\mathrm{PSNR} = -10 \log_{10} \mathrm{MSE}$$
#
# for colours in $[0, 1]$, MSE being the mean of the squared differences over pixels and channels.
#
# **Exercise [[psnr]].** Write `psnr`. *Check yourself:* an error of 0.1 everywhere gives 20 dB.

# %% [exercise] psnr

# %% [markdown]
# Now put your functions together. `ends` gives the near and far distance of each ray: where it enters
# and leaves the **visual hull**, the space that no photograph shows to be empty. (Between fixed ends, as
# in the paper, more samples fall into air.)

# %%
# Made from the photographs alone: the region of space that they show, and the hull as a grid of cells.
region, hull = nerf.surroundings(photos)


def ends(*rays):
    return nerf.tight_span(hull, region, rays)


def render(ask, origins, directions, background, n_samples=16):
    near, far = ends(origins, directions)
    u = torch.rand(len(near), n_samples, device=near.device)
    t = stratified_positions(near, far, u)  # (n, s)
    along = region.unbend(t)[..., None]  # t itself, but where a scene has no end
    points = region.to_unit(origins[:, None] + along * directions[:, None])
    seen_from = directions[:, None].expand_as(points)
    sigma, color = ask(points.flatten(0, 1), seen_from.flatten(0, 1))  # the field
    deltas = torch.diff(t, append=far[:, None], dim=-1)
    # The network's σ is about 0.3 at first (see 7.3) and changes by small steps. A wall must stop the light
    # within a few hundredths of a unit, which takes σ ≈ 100: the factor brings both together.
    weights = compositing_weights(20 * sigma.view_as(t), deltas)
    return Composite(*composite(weights, color.view(*t.shape, 3), t, background=background))


# %% [markdown]
# The training. *Time: 25 s on any machine; on a Colab T4 it does about ten times as many steps in them
# (an estimate, not measured).* Each ray gets a random
# background, in the rendering and in the photograph (which has an alpha channel): so the field has to
# be transparent exactly where the photograph is, and cannot paint the background as a wall.


# %%
def fit(ask, parameters, learning_rate, seconds, label):
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    pixels, generator = nerf.PixelSource(photos), torch.Generator(DEVICE).manual_seed(0)
    count = budget(1024, 1024, gpu=8192)  # rays of a step
    steps = Budget(None, seconds=seconds, label=label)
    for _ in steps:
        rays, rgba = pixels.batch(count, generator)
        background = torch.rand(count, 3, device=DEVICE)
        target = rgba[:, 3:] * rgba[:, :3] + (1 - rgba[:, 3:]) * background
        loss = ((render(ask, *rays, background).color - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps.say(f"loss {loss.item():.4f}")


torch.manual_seed(0)
network = nerf.RadianceMLP(width=64, depth=4, position_frequencies=6).to(DEVICE)
ask_network = partial(query_field, network)
fit(ask_network, network.parameters(), 5e-3, budget(25, 0.3), "your NeRF")

# %%
origins, directions = (x.reshape(-1, 3) for x in test.rays(one))
with torch.no_grad():
    mine = render(ask_network, origins, directions, torch.ones(3, device=DEVICE), 32)
mine = mine.color.view(height, width, 3).clamp(0, 1)
truth = test.colors()[one]
viz.gallery([mine, truth], [f"your NeRF: {psnr(mine, truth):.1f} dB", "photograph, not used"],
            height=300, alt="The table from a new direction, blurred, beside the photograph.")  # fmt: skip

# %% [markdown]
# *What to see:* seconds of training, and the scene is there: blurred, but from a direction that no
# training photograph has. The lecture's NeRF trains for one to two days on a GPU to become sharp
# (Mildenhall 2020, section 5.3).

# %% [markdown]
# ## 7.8 Minutes against seconds: a network and a grid
# What takes so long? Every sample of every ray costs a pass through the whole network. Plenoxels
# (Fridovich-Keil 2022) keeps rays, weights and loss, and drops the network (DVGO, Sun 2022, keeps a
# shallow one for the colour): density and colour are numbers at the corners of a **voxel grid**, and a
# sample costs the look at eight corners. You write its two formulas, train a grid of your own, and
# then see the library's, and what lies between network and grid.
#
# ### Between the corners
# A point in a cell gets a mean of what the cell's eight corners hold:
#
# $$v(x, y, z) = \sum_{i, j, k\, \in \{0, 1\}} w_i(x)\, w_j(y)\, w_k(z)\; v_{ijk}$$
#
# - $w_0(x) = 1 - x$ and $w_1(x) = x$: the weights of linear interpolation in one axis;
# - $x, y, z \in [0, 1]$: where in its cell the point is, from the lower to the upper corner in each axis;
# - $v_{ijk}$: the numbers at a corner; $i$ says whether it has the cell's lower (0) or upper (1) $x$,
#   $j$ and $k$ say the same of $y$ and $z$.
#
# So the field is continuous, and each of the eight corners gets its share of the gradient.
#
# **Exercise [[trilinear]].** Write `trilinear` for $n$ points, each with the corners $(2, 2, 2, c)$ of its own cell.

# %% [exercise] trilinear

# %% [markdown]
# ### A colour for each direction
# A grid over positions has no input for the direction $d = (x, y, z)$. So a corner does not store a
# colour but, for each channel, the coefficients $h_k$ of a few fixed functions on the sphere, the
# **spherical harmonics**:
#
# $$c(d) = \mathrm{sigmoid}\Big(\sum_k h_k Y_k(d)\Big)$$
#
# $$Y_0 = \sqrt{\tfrac{1}{4\pi}}, \qquad (Y_1, Y_2, Y_3) = \sqrt{\tfrac{3}{4\pi}}\,(-y,\, z,\, -x),$$
#
# $$(Y_4, \ldots, Y_8) =
#   \sqrt{\tfrac{15}{4\pi}}\,\Big(xy,\; -yz,\; \tfrac{3z^2 - 1}{\sqrt{12}},\; -xz,\; \tfrac{x^2 - y^2}{2}\Big)$$
#
# - one coefficient: the same colour from all sides; four: a part that is linear in $d$, enough for soft
#   highlights; nine: a quadratic part, too. They are to the sphere what sines and cosines are to the circle.
#
# **Exercise [[sh_color]].** Write `sh_color`: the sum, without the sigmoid, for $k$ = 1, 4 or 9 coefficients.

# %% [exercise] sh_color

# %% [markdown]
# ### Your own grid
# Thirteen numbers at each corner: one for the density, four for each channel of the colour. It answers the
# same question as the network, `ask(points, directions)`, so **the same loop trains it**. *Predict:* will it
# be better or worse than your NeRF of 7.7 after a little more than half of the time? *Time: 15 s on any machine.*

# %%
side = budget(48, 12)  # voxels per side
table = torch.zeros((side + 1) ** 3, 1 + 4 * 3, device=DEVICE, requires_grad=True)
corner = torch.cartesian_prod(*[torch.arange(2, device=DEVICE)] * 3)  # (8, 3): 000, 001, …, 111


def ask_grid(x, d):
    x = (x + 1) / 2 * side  # in voxels
    low = x.floor().clamp(0, side - 1)  # the lower corner of the cell
    i, j, k = (low[:, None] + corner).long().unbind(-1)  # (n, 8) each
    row = (i * (side + 1) + j) * (side + 1) + k
    corners = F.embedding(row, table).view(-1, 2, 2, 2, 13)  # table[row], with a faster gradient
    v = trilinear(corners, x - low)  # (n, 13)
    color = torch.sigmoid(sh_color(v[:, 1:].view(-1, 4, 3), d))
    return F.softplus(v[:, 0] - 1), color


fit(ask_grid, [table], 0.1, budget(15, 0.3), "your grid")
with torch.no_grad():
    own = render(ask_grid, origins, directions, torch.ones(3, device=DEVICE), 48)
own = own.color.view(height, width, 3).clamp(0, 1)
viz.gallery([mine, own, truth], [f"your NeRF: {psnr(mine, truth):.1f} dB", f"your grid: {psnr(own, truth):.1f} dB",
            "photograph, not used"], height=280, alt="The table by the network, by the grid, and as photographed.")  # fmt: skip

# %% [markdown]
# *What to see:* no network, and the scene is there, here sharper than by the network and after less
# time. One reason may be that the gradient of a ray goes only to the corners that it touches; a weight
# of a network serves the whole scene.
#
# ### What makes it fast
# `nerf.VoxelField` is such a grid with more ideas, among them:
#
# 1. *empty space is skipped*: cells well outside the visual hull, and those around which all weights
#    stay near zero, get no samples and no memory;
# 2. *coarse to fine*: the grid grows from a third of its resolution to the full one;
# 3. *only what shows is coloured*: samples of weight below 0.001 need no colour;
# 4. *the gradient of the interpolation is one sparse product* (on a CPU), not eight scattered sums for
#    each sample;
# 5. *values at neighbouring corners are pulled towards each other*, the more strongly the longer a
#    training is and the fewer pixels there are for a corner: a long training on few photographs might
#    else learn their noise;
# 6. *four rays stand for a pixel* in the later part of a training that sees each pixel more than twice:
#    a photograph's pixel shows the mean of what falls on it, and a single ray through its centre makes
#    stairs of edges.
#
# ### Between network and grid: a hash table
# A grid of twice the resolution has about eight times the corners, and most of them are in the air.
# instant-ngp (Müller et al. 2022) stores grids of several resolutions in tables of *fixed* size $T$. A
# coarse grid fits in; a fine one has far more corners than rows. The corner with the whole coordinates
# $(x, y, z)$ finds its row by a **hash**,
#
# $$h(x, y, z) = \big(1 \cdot x \;\oplus\; 2654435761 \cdot y \;\oplus\; 805459861 \cdot z\big) \bmod T$$
#
# - $\oplus$: the bitwise "exclusive or" (`^` in Python); $T$: the number of rows, a power of two;
#   2654435761 and 805459861: two large primes.
#
# Corners that share a row quarrel, and those that are seen win: the others get little gradient or none.
# What is left of the quarrel is sorted out by a tiny network, which reads the interpolated features of
# all resolutions.
#
# **Exercise [[hash_index]].** Write `hash_index` for corners $(\ldots, 3)$ of whole numbers.

# %% [exercise] hash_index

# %%
lattice = torch.cartesian_prod(*[torch.arange(65)] * 3)  # corners of a grid of 64³ voxels
used = torch.bincount(hash_index(lattice, 1 << 15), minlength=1 << 15)
print(f"{len(lattice):,} corners in {len(used):,} rows:\n{used.float().mean():.1f} share a row on average, "
      f"{used.min()} at least, {used.max()} at most")  # fmt: skip

# %% [markdown]
# All three are trained by the same loop, `nerf.train`, on the same photographs. *Predict:* which one is
# sharpest at the end, which one stores the least? *Time: 45 s for the network, 25 s for the hash field
# and 30 s for the grid, and a part of that again for measuring PSNR, while the clock stops. On a GPU the
# limits of grid and batch are higher by themselves; a Colab T4 should end some decibels higher (an
# estimate, not measured).*

# %%
few = test.select(range(0, len(test), budget(7, 10)))
mlp = nerf.MLPField(photos, width=64, depth=4, coarse=16, fine=0,
                    batch=budget(1024, 1024, gpu=8192), learning_rate=1e-2, position_frequencies=6)  # fmt: skip
plan = {  # name: the field, its seconds, those between two measurements, steps at least
    "network": (mlp, budget(45, 0.5), budget(6, 0.5), 5),
    "hash field": (nerf.HashField(photos), budget(25, 1), budget(4, 0.5), budget(40, 20)),
    "voxel grid": (nerf.VoxelField(photos, resolution=budget(None, 36)), budget(30, 1), budget(2, 0.5), 80),
}  # fmt: skip
curves = {}
for name, (model, seconds, every, least) in plan.items():
    curve = nerf.Curve(model, few, every=every)
    _ = nerf.train(
        model, photos, seconds=seconds, least=least, on_step=curve, clock=curve.clock, label=name
    )
    curves[name] = (curve.seconds, curve.psnr)
viz.line_chart(curves, x="seconds of training", y="PSNR (dB)", alt="PSNR on test photographs against seconds: "
               "the grid ends above the hash field, and both end far above the network.")  # fmt: skip

# %%
models = {name: model for name, (model, *_) in plan.items()}
field = models["voxel grid"]
pictures = [model.view(test, one).color for model in models.values()]
names = [f"{name}: {nerf.evaluate(model, few)['psnr']:.1f} dB" for name, model in models.items()]
viz.gallery([*pictures, test.colors()[one]], [*names, "photograph, not used"], height=240,
            alt="The same new view by network, hash field and grid, and as photographed.")  # fmt: skip
groups = {name: model.optimizer.param_groups for name, model in models.items()}
viz.table([[name, sum(p.numel() for group in owned for p in group["params"])] for name, owned in groups.items()],
          ["field", "numbers stored"], "What each field has to remember")  # fmt: skip

# %% [markdown]
# *What to see:* on a CPU the grid passes the network's final quality in less than half of the network's
# time. (The network is as large as yours of 7.7; it has more time, and a larger learning rate that
# falls.) What the grid pays with is memory: here the network has tens of thousands of numbers, the hash
# field some hundred thousands whatever its resolution, the grid more than a million.

# %% [markdown]
# **Your own photographs.** Take thirty, of a thing with texture, in steps of about ten degrees around
# it, and nothing that moves. Put them into a folder, say so in this notebook's second code cell, `folder
# = "my_photos"`, and run all. `load_scene` finds the cameras itself, by structure from motion, if you
# `pip install pycolmap` first: it says which photographs fit nowhere and what to photograph again, and
# keeps what it found. It also reads NeRF-synthetic, `transforms.json` (instant-ngp, nerfstudio), LLFF
# and COLMAP folders. `scale` makes photographs smaller by a whole factor: begin with a width of about
# 200 pixels, as a picture of $1080 \times 1920$ takes many seconds to draw on a CPU.
#
# Where the photographs have neither transparency nor a backdrop of one colour, what lies far away is
# shrunk into a shell around the scene, space starts emptier, and a second loss keeps what a ray meets
# close together (mip-NeRF 360, Barron 2022): give it one or two minutes instead of 30 s. Haze before the
# cameras ("floaters") may say that a region was seen by too few of them, or that exposure changed:
# photograph it again, with the exposure locked. Dark seams around an object that was cut out may say
# that colours were multiplied with alpha.

# %% [markdown]
# ## 7.9 Novel views
# Move the camera to where no photograph was taken.


# %%
def look(turn, rise):
    shown = field.view(nerf.orbit(photos, turn, rise), 0)
    depth = torch.where(shown.opacity > 0.5, shown.depth, math.inf)
    near = torch.exp(-(depth - depth.min()) / field.region.scale).nan_to_num()
    return [viz.gallery([shown.color, near], ["colour", "depth (near is bright)"],
                        height=320, alt="The table from the chosen side, and its depth.")]  # fmt: skip


_ = widgets.explore(look, {"turn": (0, 360, 40), "rise": (0, 80, 30)},
                    alt="The table from a direction of your choice, and its depth.")  # fmt: skip

# %% [markdown]
# ## 7.10 The ray inspector
# Pick a pixel and see what happens along its ray. Try the edge of the mug, the lamp's thin arm, and
# the background. The first pixel is chosen by a rule: of a coarse lattice of pixels, the one with most
# density *behind* the place where the light has all but ended ($T < 0.01$).


# %%
def hidden(row, column):
    """How much optical depth lies where no light of this pixel's ray gets."""
    ray = [x[row, column][None] for x in test.rays(one)]
    near, far = (x.item() for x in field.region.span(*ray))
    t = field.region.unbend(torch.linspace(near, far, 201, device=DEVICE))
    depth = optical_depth(field.density(ray[0] + t[:-1, None] * ray[1]), torch.diff(t))
    return depth[depth.cumsum(0) > -math.log(0.01)].clamp(max=1).sum().item()


places = [(i, j) for i in range(3, height, 6) for j in range(3, width, 6)]
first_row, first_column = max(places, key=lambda pixel: hidden(*pixel))


# %%
def inspect(column, row):
    picture = test.colors()[one].cpu().clone()
    picture[row], picture[:, column] = torch.tensor([0.9, 0.6, 0.0]), torch.tensor([0.9, 0.6, 0.0])
    rays = [x[row, column][None] for x in test.rays(one)]
    near, far = (x.item() for x in field.region.span(*rays))
    t = field.region.unbend(torch.linspace(near, far, 401, device=DEVICE))
    sigma = field.density(rays[0] + t[:-1, None] * rays[1])
    weights = compositing_weights(sigma, torch.diff(t))
    light = 1 - torch.cumsum(weights, 0) + weights
    lines = {"σ, relative to its maximum": sigma / sigma.max().clamp(min=1e-6), "T": light,
             "w, relative to its maximum": weights / weights.max().clamp(min=1e-6)}  # fmt: skip
    viz.gallery([picture], ["the pixel where the lines cross"], height=240, alt="The chosen pixel.")
    return viz.line_chart({name: (t[:-1].cpu(), y.cpu()) for name, y in lines.items()},
                          x="distance t", y="share", alt="Density, transmittance and weight.")  # fmt: skip


_ = widgets.explore(inspect, {"column": (0, width - 1, first_column), "row": (0, height - 1, first_row)},
                    alt="Density, transmittance and weights along the ray of a pixel.")  # fmt: skip

# %% [markdown]
# *What to see:* at this pixel there is density behind the first surface, where other photographs see
# things; the weights end, because no light of this ray gets there. So the inside of things, which no
# photograph shows, need not be learned.

# %% [markdown]
# ## 7.11 What each ingredient is good for
# The same small network, each time with one ingredient left out, at half the resolution, with the same
# seed and for the same number of **steps**. (In equal *time*, the one without fine samples would make
# more steps, and so would an idle machine.) *Predict* the order before you run it. *Time: about a minute
# on two CPU cores, less on a Colab T4 (an estimate, not measured).*

# %%
small = load_scene(folder, downscale=2 * scale).select(slice(0, None, budget(1, 8))).to(DEVICE)
small_test = load_scene(folder, split="test", downscale=2 * scale).to(DEVICE)
variants = {
    "everything": {},
    "no encoding": {"position_frequencies": 0},
    "no view direction": {"view_dependent": False},
    "no fine samples": {"fine": 0},
    "fixed samples, no jitter": {"stratified": False},
}
common = {"width": 64, "depth": 4, "coarse": 10, "fine": 10, "learning_rate": 5e-3,
          "batch": budget(512, 512, gpu=4096), "position_frequencies": 6}  # fmt: skip
results = {}
for name, change in variants.items():
    ablated = nerf.MLPField(small, **(common | change))
    _ = nerf.train(ablated, small, seconds=budget(60, 5), steps=budget(250, 3), label=name)
    results[name] = nerf.evaluate(ablated, small_test.select(range(0, len(test), 4)))["psnr"]
viz.bar_chart(results, y="PSNR (dB)", alt="PSNR with everything and with one ingredient left out.")

# %% [markdown]
# *What to see:* the encoding is missed at once, by about three decibels. The others make less than a
# decibel here: maybe ten coarse samples already find the surfaces where the hull is tight, and after 250
# steps the picture is still too blurred for highlights to count. What each ingredient is worth in the
# end is in the paper's own ablation (its table 2, the mean of eight synthetic scenes): there every
# ingredient left out costs something, view dependence more than the encoding. (Jitter has no row in that
# table.)

# %% [markdown]
# ## 7.12 When it fails: the health monitor
# Radiance fields fail in a few classic ways, and many look alike: an empty picture, or fog. The monitor
# looks at cameras and silhouettes before the training, and at the field in its first steps.

# %%
flipped = photos.camera_to_world.clone()
flipped[:, :3, 1:3] *= -1  # OpenCV axes taken for OpenGL's
zoomed = photos.intrinsics.clone()
zoomed[:, :2] *= 2  # the focal length of an image twice as large
sick = {
    "axes of another convention": replace(photos, camera_to_world=flipped),
    "focal length not rescaled": replace(photos, intrinsics=zoomed),
    "healthy": photos,
}
for name, scene in sick.items():
    findings = nerf.check_scene(scene)
    words = "; ".join(map(str, findings)) or "nothing found"
    print(f"{name}:\n{textwrap.fill(words, 62, initial_indent='  ', subsequent_indent='  ')}")

# %% [markdown]
# The classic of the classics is **white collapse**: on photographs with much white, and without a visual
# hull, a network that becomes transparent everywhere can lower its loss at once, and then its gradients
# may be too small to bring it back. (Our fields start inside the hull.) To watch a training:
# `nerf.HealthMonitor(model, photos)` and `nerf.train(..., on_step=monitor.on_step)`.

# %% [markdown]
# ## 7.13 Geometry out
# A density is a shape: where a layer as thick as a cell stops half of the light, we draw the surface
# by marching cubes (section 5.6). The scene is generated, so its true surface is known:
# Chamfer distance and F-score as in notebook 4 say how far we are off.

# %%
from course_lib.meshes.files import load_mesh
from course_lib.metrics import f_score

mesh = nerf.extract_mesh(field, resolution=budget(128, 40), smooth=False)
views = [viz.Scene(mesh, title="from photographs")]
if folder is None:  # of your own photographs the true shape is not known
    true = load_mesh(asset("scene/mesh.ply"))
    views.append(viz.Scene(true, title="true"))
    seed = torch.Generator().manual_seed(0)
    p = meshes.sample_surface(mesh, 4000, generator=seed)[0][None].cpu()
    q = meshes.sample_surface(true, 4000, generator=seed)[0][None]
    print(
        f"Chamfer distance (squared, sum of two means): {losses.chamfer_distance(p, q).item():.5f}"
    )
    print(f"F-score at 0.05: {f_score(p, q, 0.05).item():.3f}")
widgets.view3d(*views, alt="The mesh from the radiance field beside the true one.")

# %% [markdown]
# *What to see:* the mug has its hole and, where the training got far enough, the lamp its rod; surfaces
# are rough. A radiance field is trained to *look* right: fog that looks like a surface is good enough
# for it. (`smooth=True` averages the density over neighbouring cells first. That evens the surfaces, and
# can break what is as thin as a few cells.)
#
# ### A distance instead of a density
# Could the field be a surface from the start? VolSDF (Yariv 2021) and NeuS (Wang 2021) store a signed
# distance $d$ (3.17) and make the density of it, so that the rest can stay as it is (the formula is
# VolSDF's):
#
# $$\sigma = \frac1\beta\,\Psi\!\left(-d\right), \qquad \Psi(s) = \begin{cases} \frac12 e^{s/\beta} & s \le 0 \\
#   1 - \frac12 e^{-s/\beta} & s > 0 \end{cases}$$
#
# - $\beta > 0$: how soft the surface is, a length; it falls while the field is trained;
# - far outside $\sigma \to 0$, on the surface $1 / (2\beta)$, deep inside $\sigma \to 1 / \beta$: the
#   grid stores $d$ alone, and σ follows from it.
#
# **Exercise [[laplace_density]].** Write `laplace_density`.

# %% [exercise] laplace_density

# %%
d = torch.linspace(-0.3, 0.3, 121)
viz.line_chart({f"β = {beta}": (d, laplace_density(d, beta) * beta) for beta in (0.1, 0.03, 0.01)},
               x="signed distance d", y="σ β", alt="Density, in units of 1/β, against the distance.")  # fmt: skip

# %% [markdown]
# `nerf.SurfaceField` is the grid of 7.8 with distances instead of densities. They start as those of the
# visual hull, and a second loss keeps $\lVert \nabla d \rVert$ near 1 (the eikonal equation of 3.17).
# *Time: 30 s.* *Predict:* is it sharper? Is its surface better?

# %%
surface = nerf.SurfaceField(photos, resolution=budget(None, 36))
_ = nerf.train(surface, photos, seconds=budget(30, 1), least=budget(80, 40), label="surface")
meshes_of = {"density": mesh, "distance": nerf.extract_mesh(surface, resolution=budget(128, 40))}
fields = {"density": field, "distance": surface}
rows = []
for name, one_mesh in meshes_of.items():
    row = [name, nerf.evaluate(fields[name], few)["psnr"]]
    if folder is None:
        p = meshes.sample_surface(one_mesh, 4000, generator=seed)[0][None].cpu()
        row += [losses.chamfer_distance(p, q).item(), f_score(p, q, 0.05).item()]
    rows.append(row)
columns = ["field", "PSNR (dB)", "Chamfer distance", "F-score at 0.05"][: len(rows[0])]
viz.table(rows, columns, "Two fields, the same photographs and seconds")
widgets.view3d(*(viz.Scene(m, title=name) for name, m in meshes_of.items()),
               alt="The mesh of the density, and that of the distance.")  # fmt: skip

# %% [markdown]
# *What to see:* here the density's picture ends as the sharper one. (Trainings that end after 200 steps
# leave the distance's ahead, by about half a decibel.) But the surface is smoother in most places, and
# by the F-score at least as near to the true one: one reason may be that what is a surface from the
# start has no fog to hide in.
#
# A mesh can also be trained directly, if marching cubes are made differentiable: DMTet (Shen 2021) moves
# the corners of a grid of tetrahedra, FlexiCubes (Shen 2023) lets the vertices move within the cells of
# a grid. Then losses of notebook 4 and pictures of notebook 6 act on one and the same surface.

# %% [markdown]
# ## 7.14 What others report
# Mean PSNR on the eight scenes of NeRF-synthetic, $800 \times 800$, as published.

# %%
viz.table(
    [
        ["NeRF (Mildenhall 2020)", 31.01, "1 to 2 days", "the paper, table 1; time: section 5.3"],
        ["NeRF, in nerfacc", 31.55, "52 min", "nerfacc's documentation, Static NeRFs"],
        ["instant-ngp (Müller 2022)", 33.18, "5 min", "the paper, table 2; black background"],
        ["instant-ngp, rerun by nerfacc", 32.35, "4.4 min", "nerfacc's documentation; white background"],
        ["TensoRF-VM (Chen 2022)", 33.14, "17 min", "the paper, table 1 (VM-192, 30,000 steps)"],
        ["Zip-NeRF (Barron 2023)", 33.09, None, "the paper's eight scenes, averaged here"],
        [
            "3D Gaussian splatting (Kerbl 2023)",
            33.31,
            None,
            "table 2's eight scenes, averaged here",
        ],
    ],
    ["method", "PSNR (dB)", "training on one GPU", "source"],
    "Published results, each with its source",
)  # fmt: skip

# %% [markdown]
# > **Warning.** These figures come from different protocols. The fourth row is instant-ngp's own
# > code, run again by nerfacc's authors with a white background: the scene
# > *ficus* has 30.61 dB then, in the paper 33.51. Machines and training times differ, too. Our own figures above
# > are of *another, smaller scene* of $100 \times 100$ pixels: they do not belong in this table.

# %% [markdown]
# ## 7.15 Recap of the lecture, and a quiz
# - **3D applications and tasks**: classify, generate, reconstruct, animate (notebook 2).
# - **Representations**: voxels, points, meshes, functions, views; each gives up something (3).
# - **Losses**: IoU, Chamfer, normals, regularisers; conventions decide the numbers (4, 5).
# - **NeRF**: a field, a ray, a sum of weights, and photographs instead of labels (6, 7).
# - And before all that, **tables as text**: what words bring to a row (1).
#
# Five questions: two on representations, two on losses, one on tables. Answer with a letter, as `"A"`.
#
# **[[quiz_occupied_share]]** The resolution $r$ of a voxel grid doubles. The share of cells that a
# surface occupies, roughly, …

# %% [exercise] quiz_occupied_share

# %% [markdown]
# **[[quiz_one_sided_chamfer]]** A prediction has a tiny *one-sided* Chamfer distance (prediction → truth) to a chair, and is
# still useless. Which of these is it?

# %% [exercise] quiz_one_sided_chamfer

# %% [markdown]
# **[[quiz_gradient_of_an_sdf]]** The gradient of a signed distance function has, almost everywhere, the length …

# %% [exercise] quiz_gradient_of_an_sdf

# %% [markdown]
# **[[quiz_outlier]]** A mesh is fitted to a scan that has a few stray points. Which change of the Chamfer loss makes
# the strays pull *less* on the mesh?

# %% [exercise] quiz_outlier

# %% [markdown]
# **[[quiz_serialised_row]]** Why write a table's row as a sentence for a language model?

# %% [exercise] quiz_serialised_row

# %%
progress()
