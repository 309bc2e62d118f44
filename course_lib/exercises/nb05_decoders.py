"""Notebook 05: the pieces of the four decoders."""

import math

import torch
import torch.nn.functional as F

from course_lib import cameras, metrics
from course_lib.exercises.exercise import Case, Exercise, mistakes
from course_lib.reconstruction import mesh_decoder, point_decoder
from course_lib.reconstruction import voxel_decoder as voxels

# Voxels


def _grids(*shape: int, largest: float = 4.0):
    """A maker of logits and of occupancies, a quarter of them 1."""
    return lambda g: (
        largest * (2 * torch.rand(*shape, generator=g) - 1),
        (torch.rand(*shape, generator=g) < 0.25).float(),
    )


def _entropy(logits, occupancy):
    return F.binary_cross_entropy_with_logits(logits, occupancy)


def _pooled_iou(p, occupancy):
    return (p * occupancy).sum() / (p + occupancy - p * occupancy).sum()


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
    "IoU of the whole batch": (lambda x, o: _entropy(x, o) + 1 - _pooled_iou(x.sigmoid(), o),
        "You pooled the IoU over the batch. Each picture has its own; then take their mean."),
    "entropy summed per picture": (
        lambda x, o: _entropy(x, o) * x[0].numel() + 1 - metrics.soft_iou(x.sigmoid(), o).mean(),
        "You summed the cross-entropy over the voxels of each picture: take the mean over all voxels."),
    "arguments exchanged": (
        lambda x, o: _entropy(o, x) + 1 - metrics.soft_iou(x.sigmoid(), o).mean(),
        "You gave the truth as logits and the logits as truth: the network's output comes first."),
    "binary logarithm": (
        lambda x, o: _entropy(x, o) / math.log(2) + 1 - metrics.soft_iou(x.sigmoid(), o).mean(),
        "Your cross-entropy is in bits. The slide's log is the natural one."),
    "no one": (lambda x, o: _entropy(x, o) - metrics.soft_iou(x.sigmoid(), o).mean(),
        "You subtracted the IoU, but the 1 is missing: 1 − IoU."),
    "summed IoU": (lambda x, o: _entropy(x, o) + (1 - metrics.soft_iou(x.sigmoid(), o)).sum(),
        "You summed 1 − IoU over the batch: take the mean over the pictures."),
    "logits given to IoU": (
        lambda x, o: _entropy(x, o) + 1 - (
            (x * o).flatten(1).sum(1) / (x + o - x * o).flatten(1).sum(1)
        ).mean(),
        "You computed the IoU of the logits. It takes probabilities: the sigmoid of the logits."),
    "logarithm of the sigmoid": (
        lambda x, o: (
            F.binary_cross_entropy(x.sigmoid(), o) + 1 - metrics.soft_iou(x.sigmoid(), o).mean()
        ),
        "For large logits the sigmoid is exactly 0 or 1, and its logarithm is lost. Use the "
        "cross-entropy that takes logits."),
    "logarithm by hand": (
        lambda x, o: (
            -(o * x.sigmoid().log() + (1 - o) * (1 - x.sigmoid()).log()).mean()
            + 1
            - metrics.soft_iou(x.sigmoid(), o).mean()
        ),
        "For large logits the sigmoid is exactly 0 or 1, and log 0 is infinite. Use torch's "
        "cross-entropy of logits."),
    "hard IoU": (lambda x, o: _entropy(x, o) + 1 - metrics.iou(x.sigmoid(), o).mean(),
        "You used the IoU of the rounded grid, whose gradient is zero. The soft IoU has one."),
})
# fmt: on

OCCUPANCY_LOSS = Exercise(
    name="occupancy_loss",
    reference=voxels.occupancy_loss,
    points=2,
    gradients=("logits",),
    cases=(
        Case(
            "one occupied voxel, one empty, no idea",
            lambda g: (torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])),
            fixed=True,
        ),
        Case("a batch of small grids", _grids(3, 4, 4, 4)),
        Case("one grid", _grids(1, 3, 3, 3)),
        Case("a network that is very sure", _grids(2, 3, 3, 3, largest=95.0)),
    ),
    misconceptions=OCCUPANCY_LOSS_MISTAKES,
    hints=(
        "Two terms: the cross-entropy of notebook 01's kind, and one minus a soft IoU (notebook 04).",
        "`F.binary_cross_entropy_with_logits` takes logits, `soft_iou` takes probabilities in [0, 1].",
        "Cross-entropy of the logits, plus 1, minus the mean IoU of `logits.sigmoid()`. Still stuck? "
        '`solution("occupancy_loss")`.',
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
    "ReLU before and after": (lambda v, w, b: _up(v.relu(), w, b).relu(),
        "You also put a ReLU after the convolution: the last layer's logits must be able to be "
        "negative."),
    "kernel mirrored": (lambda v, w, b: _up(v.relu(), w.flip(2, 3, 4), b),
        "Your kernel is mirrored: `conv_transpose3d` takes it as it is."),
    "no bias": (lambda v, w, b: _up(v.relu(), w, None),
        "You forgot the bias: it is added to every output voxel."),
})
# fmt: on

GROW = Exercise(
    name="grow",
    reference=voxels.grow,
    gradients=("volume", "weight", "bias"),
    cases=(
        Case("a kernel of 4", _volumes(2, 3, 2, 3, 4)),
        Case("a kernel of 2", _volumes(1, 2, 3, 2, 2)),
        Case("a kernel of 6", _volumes(1, 1, 2, 3, 6)),
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
        "Solve 2(r − 1) + k − 2·padding = 2r for the padding; k is `weight.shape[-1]`. Still stuck? "
        '`solution("grow")`.',
    ),
)

# Points


def _branches(b: int, n: int, h: int, w: int):
    """A maker of both branches' outputs, some of them large."""

    def make(g):
        free, sheet = torch.randn(b, 3 * n, generator=g), torch.randn(b, 3, h, w, generator=g)
        free[0, 0], sheet[0, 0, 0, 0] = 150.0, -150.0
        return free, sheet

    return make


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
    "tanh twice": (lambda f, s: _join(f.unflatten(1, (-1, 3)), s.flatten(2).mT).tanh(),
        "You applied tanh twice."),
    "tanh of the sheet only": (
        lambda f, s: torch.cat([f.unflatten(1, (-1, 3)), s.flatten(2).mT.tanh()], dim=1),
        "The free points lack the tanh."),
    "tanh of the free points only": (
        lambda f, s: torch.cat([f.unflatten(1, (-1, 3)).tanh(), s.flatten(2).mT], dim=1),
        "The sheet lacks the tanh."),
    "sigmoid": (
        lambda f, s: 2 * torch.cat([f.unflatten(1, (-1, 3)), s.flatten(2).mT], dim=1).sigmoid() - 1,
        "2·sigmoid(x) − 1 is tanh(x/2): half as steep as the tanh."),
    "no tanh": (lambda f, s: torch.cat([f.unflatten(1, (-1, 3)), s.flatten(2).mT], dim=1),
        "The tanh is missing, which keeps all coordinates in [−1, 1]."),
    "cut off": (
        lambda f, s: torch.cat([f.unflatten(1, (-1, 3)), s.flatten(2).mT], dim=1).clamp(-1, 1),
        "You cut the coordinates off at ±1, where they then have no gradient; a tanh bends them."),
    "sheet first": (lambda f, s: _join(s.flatten(2).mT, f.unflatten(1, (-1, 3))),
        "The points are right, their order is not: free points first, then the sheet."),
    "column by column": (lambda f, s: _join(f.unflatten(1, (-1, 3)), s.mT.flatten(2).mT),
        "You went through the sheet column by column; go row by row."),
})
# fmt: on

TWO_BRANCHES = Exercise(
    name="two_branches",
    reference=point_decoder.two_branches,
    gradients=("free", "sheet"),
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
        'Concatenate along axis 1, then tanh. Still stuck? `solution("two_branches")`.',
    ),
)

# Mesh


def _looks(b: int, c: int, v: int, size: float = 1.0):
    def make(g):
        eye = F.normalize(torch.randn(b, 3, generator=g) + torch.tensor([0.0, 0.2, 0.0]), dim=-1)
        vertices = size * (torch.rand(b, v, 3, generator=g) - 0.5)
        return torch.randn(b, c, 8, 8, generator=g), vertices, cameras.look_at(3 * eye), 1.3

    return make


def _sample(image_map, where, align=False, mode="bilinear", beyond="border"):
    options = {"padding_mode": beyond, "align_corners": align, "mode": mode}
    return F.grid_sample(image_map, where[:, :, None], **options)[..., 0].mT


def _where(vertices, camera, focal, *, flip=-1.0, divide=True):
    q = (vertices - camera[:, None, :3, 3]) @ camera[:, :3, :3]
    depth = -q[..., 2:] if divide else 1.0
    return 2 * focal * q[..., :2] * torch.tensor([1.0, flip]).to(q) / depth


def _at(q, focal, depth=None):
    """The place in the picture of points q in camera axes."""
    depth = -q[..., 2:] if depth is None else depth
    return 2 * focal * q[..., :2] * torch.tensor([1.0, -1.0]).to(q) / depth


def _parts(camera):
    return camera[:, :3, :3], camera[:, None, :3, 3]


def _turned(image_map, vertices, camera, focal):
    rotation, position = _parts(camera)
    return _sample(image_map, _at((vertices - position) @ rotation.mT, focal))


def _world_to_camera(image_map, vertices, camera, focal):
    rotation, position = _parts(camera)
    return _sample(image_map, _at(vertices @ rotation.mT + position, focal))


def _turned_first(image_map, vertices, camera, focal):
    rotation, position = _parts(camera)
    return _sample(image_map, _at(vertices @ rotation - position, focal))


def _position_added(image_map, vertices, camera, focal):
    rotation, position = _parts(camera)
    return _sample(image_map, _at((vertices + position) @ rotation, focal))


def _by_distance(image_map, vertices, camera, focal):
    rotation, position = _parts(camera)
    q = (vertices - position) @ rotation
    return _sample(image_map, _at(q, focal, q.norm(dim=-1, keepdim=True)))


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
    "camera used as world-to-camera": (_world_to_camera,
        "You used `camera` as world-to-camera, Rp + t. It is camera-to-world: q = Rᵀ(p − t)."),
    "turned before moved": (_turned_first,
        "You turned first and then subtracted t. First p − t, then Rᵀ."),
    "position added": (_position_added, "You added the camera's position: it is p − t."),
    "divided by the distance": (_by_distance,
        "You divided by the distance from the camera. The depth is measured along its axis: −q₃."),
    "factor 2 missing": (lambda m, v, c, f: _sample(m, _where(v, c, f) / 2),
        "The factor 2 is missing: the picture reaches from −1 to 1, and f is in image heights."),
    "u and v exchanged": (lambda m, v, c, f: _sample(m, _where(v, c, f).flip(-1)),
        "You exchanged u and v: `grid_sample` takes (x to the right, y down), in this order."),
    "torn apart": (lambda m, v, c, f: _sample(m, _where(v, c, f)).mT.reshape(len(m), -1, m.shape[1]),
        "You reshaped (b, c, v) to (b, v, c): that mixes channels and vertices. Swap the axes."),
    "nothing beyond the border": (lambda m, v, c, f: _sample(m, _where(v, c, f), beyond="zeros"),
        'Vertices outside the picture get zeros; they should take the nearest border: '
        '`padding_mode="border"`.'),
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
        Case("vertices outside the picture", _looks(2, 3, 12, size=3.0)),
    ),
    misconceptions=VERTEX_FEATURES_MISTAKES,
    hints=(
        "Three steps: world → camera, camera → picture, picture → features.",
        "Camera axes: `(vertices - position) @ rotation`, with `rotation = camera[:, :3, :3]`. The "
        "camera looks along −z, so the depth is −q₃.",
        "`F.grid_sample(image_map, where[:, :, None], padding_mode='border', align_corners=False)` "
        "is (b, c, v, 1).",
        "The place is 2f (q₁, −q₂)/depth, stacked along the last axis. Still stuck? "
        '`solution("vertex_image_features")`.',
    ),
)
