"""Notebook 05: the pieces of the four decoders."""

import torch
import torch.nn.functional as F

from course_lib import cameras, metrics
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.reconstruction import implicit_decoder, mesh_decoder, point_decoder
from course_lib.reconstruction import voxel_decoder as voxels

# Voxels


def _grids(*shape: int):
    """A maker of logits and of occupancies, a quarter of them 1."""
    return lambda g: (
        2 * torch.randn(*shape, generator=g),
        (torch.rand(*shape, generator=g) < 0.25).float(),
    )


def _entropy(logits, occupancy):
    return F.binary_cross_entropy_with_logits(logits, occupancy)


# fmt: off
OCCUPANCY_LOSS_MISTAKES = mistakes({
    "cross-entropy only": (_entropy,
        "This is the cross-entropy alone: 1 − IoU is missing. Empty voxels rule such a loss."),
    "IoU added": (lambda x, o: _entropy(x, o) + metrics.soft_iou(x.sigmoid(), o).mean(),
        "You add the IoU, which is high for good answers. A loss needs what is missing: 1 − IoU."),
    "summed entropy": (
        lambda x, o: (
            F.binary_cross_entropy_with_logits(x, o, reduction="sum")
            + 1
            - metrics.soft_iou(x.sigmoid(), o).mean()
        ),
        "You summed the cross-entropy over the voxels: take its mean, or it drowns the IoU."),
    "sigmoid twice": (
        lambda x, o: _entropy(x.sigmoid(), o) + 1 - metrics.soft_iou(x.sigmoid(), o).mean(),
        "You gave probabilities to a function that expects logits: the sigmoid is in it already."),
    "hard IoU": (lambda x, o: _entropy(x, o) + 1 - metrics.iou(x.sigmoid(), o).mean() + 0 * x.sum(),
        "You used the IoU of the rounded grid, whose gradient is zero. The soft IoU has one."),
})
# fmt: on

OCCUPANCY_LOSS = Exercise(
    name="occupancy_loss",
    reference=voxels.occupancy_loss,
    points=2,
    gradients=True,
    cases=(
        Case(
            "one occupied voxel, one empty, no idea",
            lambda g: (torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])),
            fixed=True,
        ),
        Case("a batch of small grids", _grids(3, 4, 4, 4)),
        Case("one grid", _grids(1, 3, 3, 3)),
    ),
    misconceptions=OCCUPANCY_LOSS_MISTAKES,
    hints=(
        "Two terms: the cross-entropy of notebook 01's kind, and one minus a soft IoU (notebook 04).",
        "`F.binary_cross_entropy_with_logits` takes logits, `soft_iou` takes probabilities in [0, 1].",
        "`cross_entropy + 1 - soft_iou(logits.sigmoid(), occupancy).mean()`",
    ),
)


def _volumes(b: int, c: int, o: int, r: int, kernel: int):
    return lambda g: (
        torch.randn(b, c, r, r, r, generator=g),
        torch.randn(c, o, kernel, kernel, kernel, generator=g),
        torch.randn(o, generator=g),
    )


def _up(volume, weight, bias, padding=None, stride=2):
    padding = weight.shape[-1] // 2 - 1 if padding is None else padding
    return F.conv_transpose3d(volume, weight, bias, stride=stride, padding=padding)


# fmt: off
GROW_MISTAKES = mistakes({
    "no ReLU": (_up, "You left out the ReLU. Without it two layers in a row are one linear layer."),
    "ReLU last": (lambda v, w, b: _up(v, w, b).relu(),
        "Your ReLU comes after the convolution. It belongs before: the last layer gives logits, "
        "which must be able to be negative."),
    "padding 1 always": (lambda v, w, b: _up(v.relu(), w, b, padding=1),
        "Right for a kernel of 4, but a kernel of 2 gives 2r − 2 with padding 1: use k/2 − 1."),
    "no padding": (lambda v, w, b: _up(v.relu(), w, b, padding=0),
        "The side is 2r + 2, not 2r: the outermost layer has to be cut off by the padding."),
    "no bias": (lambda v, w, b: _up(v.relu(), w, 0 * b),
        "You forgot the bias: it is added to every output voxel."),
})
# fmt: on

GROW = Exercise(
    name="grow",
    reference=voxels.grow,
    gradients=True,
    cases=(
        Case("a kernel of 4", _volumes(2, 3, 2, 3, 4)),
        Case("a kernel of 2", _volumes(1, 2, 3, 2, 2)),
        Case(
            "all ones",
            lambda g: (torch.ones(1, 1, 2, 2, 2), torch.ones(1, 1, 4, 4, 4), torch.zeros(1)),
            fixed=True,
        ),
    ),
    misconceptions=GROW_MISTAKES,
    hints=(
        "`F.conv_transpose3d(volume, weight, bias, stride=…, padding=…)`, after a ReLU.",
        "The side is 2(r − 1) + k − 2·padding with stride 2. Which padding makes it 2r?",
        "`padding = weight.shape[-1] // 2 - 1`",
    ),
)

# Points


def _branches(b: int, n: int, h: int, w: int):
    return lambda g: (
        torch.randn(b, 3 * n, generator=g),
        torch.randn(b, 3, h, w, generator=g),
    )


def _join(free, sheet):
    return torch.cat([free, sheet], dim=1).tanh()


# fmt: off
TWO_BRANCHES_MISTAKES = mistakes({
    "all x first": (lambda f, s: _join(f.unflatten(1, (3, -1)).mT, s.flatten(2).mT),
        "You read the free branch as all x, then all y, then all z. It lists point after point: "
        "x, y, z, x, y, z, …"),
    "reshaped sheet": (lambda f, s: _join(f.unflatten(1, (-1, 3)), s.reshape(len(s), -1, 3)),
        "You reshaped the sheet (b, 3, h, w) to (b, h·w, 3): that tears the channels apart. "
        "Flatten h and w, then swap the axes."),
    "no tanh": (lambda f, s: torch.cat([f.unflatten(1, (-1, 3)), s.flatten(2).mT], dim=1),
        "The tanh is missing, which keeps all coordinates in [−1, 1]."),
    "sheet first": (lambda f, s: _join(s.flatten(2).mT, f.unflatten(1, (-1, 3))),
        "The points are right, their order is not: free points first, then the sheet."),
    "column by column": (lambda f, s: _join(f.unflatten(1, (-1, 3)), s.mT.flatten(2).mT),
        "You went through the sheet column by column; go row by row."),
})
# fmt: on

TWO_BRANCHES = Exercise(
    name="two_branches",
    reference=point_decoder.two_branches,
    gradients=True,
    cases=(
        Case(
            "two free points and a sheet of two",
            lambda g: (torch.arange(6.0)[None] / 5, torch.arange(6.0).reshape(1, 3, 1, 2) / 5),
            fixed=True,
        ),
        Case("a batch", _branches(3, 4, 2, 5)),
        Case("a square sheet", _branches(2, 3, 3, 3)),
    ),
    misconceptions=TWO_BRANCHES_MISTAKES,
    hints=(
        "`free.unflatten(1, (-1, 3))` splits axis 1 into points of three numbers.",
        "`sheet.flatten(2)` is (b, 3, h·w); `.mT` swaps the last two axes.",
        "Concatenate along axis 1, then `.tanh()`.",
    ),
)

# Mesh


def _looks(b: int, c: int, v: int):
    def make(g):
        eye = F.normalize(torch.randn(b, 3, generator=g) + torch.tensor([0.0, 0.2, 0.0]), dim=-1)
        vertices = torch.rand(b, v, 3, generator=g) - 0.5
        return torch.randn(b, c, 8, 8, generator=g), vertices, cameras.look_at(3 * eye), 1.3

    return make


def _sample(image_map, where, align=False, mode="bilinear"):
    options = {"padding_mode": "border", "align_corners": align, "mode": mode}
    return F.grid_sample(image_map, where[:, :, None], **options)[..., 0].mT


def _where(vertices, camera, focal, *, flip=-1.0, divide=True):
    q = (vertices - camera[:, None, :3, 3]) @ camera[:, :3, :3]
    depth = -q[..., 2:] if divide else 1.0
    return 2 * focal * q[..., :2] * torch.tensor([1.0, flip]).to(q) / depth


def _turned(image_map, vertices, camera, focal):
    q = (vertices - camera[:, None, :3, 3]) @ camera[:, :3, :3].mT
    depth = torch.where(q[..., 2:].abs() < 1e-3, 1e-3, -q[..., 2:])
    return _sample(image_map, 2 * focal * q[..., :2] * torch.tensor([1.0, -1.0]).to(q) / depth)


# fmt: off
VERTEX_FEATURES_MISTAKES = mistakes({
    "y upwards": (lambda m, v, c, f: _sample(m, _where(v, c, f, flip=1.0)),
        "Your pictures are upside down: row 0 is on top, y points down in the picture."),
    "aligned corners": (lambda m, v, c, f: _sample(m, _where(v, c, f), align=True),
        "With align_corners=True −1 is the centre of the first pixel. In the course −1 is the "
        "picture's edge, half a pixel outside of it: align_corners=False."),
    "not divided by the depth": (lambda m, v, c, f: _sample(m, _where(v, c, f, divide=False)),
        "You did not divide by the depth: that is a parallel projection, magnified."),
    "nearest pixel": (lambda m, v, c, f: _sample(m, _where(v, c, f), mode="nearest"),
        "You take the nearest pixel, which gives the vertices no gradient: interpolate "
        "bilinearly."),
    "turned the wrong way": (_turned,
        "You turned with R where Rᵀ is needed: for points in rows Rᵀq is written q @ R."),
})
# fmt: on

VERTEX_FEATURES = Exercise(
    name="vertex_image_features",
    reference=mesh_decoder.vertex_image_features,
    points=3,
    cases=(
        Case(
            "the middle of a ramp",
            lambda g: (
                torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]]),
                torch.tensor([[[0.0, 0.0, -2.0], [0.4, 0.3, -2.0]]]),
                torch.eye(4)[None],
                1.0,
            ),
            fixed=True,
        ),
        Case("one picture", _looks(1, 2, 9)),
        Case("a batch of pictures", _looks(3, 4, 6)),
    ),
    misconceptions=VERTEX_FEATURES_MISTAKES,
    hints=(
        "Three steps: world → camera, camera → picture, picture → features.",
        "Camera axes: `(vertices - position) @ rotation`, with `rotation = camera[:, :3, :3]`. The "
        "camera looks along −z, so the depth is −q₃.",
        "`F.grid_sample(image_map, where[:, :, None], padding_mode='border', align_corners=False)` "
        "is (b, c, v, 1).",
        "`where = 2 * focal * torch.stack([x, -y], dim=-1) / depth[..., None]`",
    ),
)

# Implicit


def _activations(b: int, n: int, c: int):
    return lambda g: (
        torch.randn(b, n, c, generator=g),
        torch.randn(b, c, generator=g),
        torch.randn(b, c, generator=g),
    )


# fmt: off
MODULATE_MISTAKES = mistakes({
    "no one": (lambda x, scale, shift: scale[:, None] * x + shift[:, None],
        "You multiply by γ, not by 1 + γ: a network that starts with γ ≈ 0 would then pass "
        "nothing."),
    "shift inside": (lambda x, scale, shift: (1 + scale[:, None]) * (x + shift[:, None]),
        "You shift before you scale: (1 + γ)(x + β). β is added last."),
    "exchanged": (lambda x, scale, shift: (1 + shift[:, None]) * x + scale[:, None],
        "You exchanged scale and shift."),
    "no shift": (lambda x, scale, shift: (1 + scale[:, None]) * x + 0 * shift[:, None],
        "β is missing."),
    "the first picture's for all": (
        lambda x, scale, shift: (1 + scale[:1, None]) * x + shift[:1, None],
        "All pictures of the batch get the γ and β of the first one."),
})
# fmt: on

MODULATE = Exercise(
    name="modulate",
    reference=implicit_decoder.modulate,
    gradients=True,
    cases=(
        Case(
            "one channel",
            lambda g: (torch.ones(1, 2, 1), torch.tensor([[0.5]]), torch.tensor([[2.0]])),
            fixed=True,
        ),
        Case("a batch", _activations(3, 5, 4)),
        Case("as many points as channels", _activations(2, 4, 4)),
    ),
    misconceptions=MODULATE_MISTAKES,
    hints=(
        "γ and β are (b, c), x is (b, n, c): which axis must they get so that they broadcast?",
        "`scale[:, None]` has the shape (b, 1, c).",
    ),
)

EXERCISES = (OCCUPANCY_LOSS, GROW, TWO_BRANCHES, VERTEX_FEATURES, MODULATE)
