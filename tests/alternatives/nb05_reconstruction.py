"""Right answers to notebook 05, written otherwise than the references."""

import torch
import torch.nn.functional as F

# Voxels


def occupancy_loss_by_hand(logits, occupancy):
    p = torch.sigmoid(logits)
    entropy = -(occupancy * F.logsigmoid(logits) + (1 - occupancy) * F.logsigmoid(-logits)).mean()
    axes = tuple(range(1, logits.ndim))
    overlap = (p * occupancy).sum(axes) / (p + occupancy - p * occupancy).sum(axes)
    return entropy + (1 - overlap).mean()


def occupancy_loss_loop(logits, occupancy):
    total = logits.new_zeros(())
    for x, o in zip(logits.double(), occupancy.double(), strict=True):
        p = 1 / (1 + torch.exp(-x))
        entropy = (torch.logaddexp(x, torch.zeros_like(x)) - o * x).mean()
        total = total + entropy + 1 - (p * o).sum() / (1 - (1 - p) * (1 - o)).sum()
    return (total / len(logits)).to(logits.dtype)


def grow_module(volume, weight, bias):
    kernel = weight.shape[-1]
    layer = torch.nn.ConvTranspose3d(*weight.shape[:2], kernel, 2, (kernel - 2) // 2)
    parameters = {"weight": weight, "bias": bias}
    return torch.func.functional_call(layer, parameters, (torch.clamp(volume, min=0),))


def grow_stuffed(volume, weight, bias):
    """Zeros between the voxels, then an ordinary convolution with the mirrored kernel."""
    r, kernel = volume.shape[-1], weight.shape[-1]
    stuffed = volume.new_zeros(*volume.shape[:2], *(2 * r - 1,) * 3)
    stuffed[..., ::2, ::2, ::2] = F.relu(volume)
    mirrored = weight.flip(2, 3, 4).transpose(0, 1)
    return F.conv3d(stuffed, mirrored, bias, padding=kernel - 1 - (kernel // 2 - 1))


# Points


def two_branches_views(free, sheet):
    b = len(free)
    woven = sheet.permute(0, 2, 3, 1).reshape(b, -1, 3)
    return torch.tanh(torch.cat((free.reshape(b, -1, 3), woven), 1))


def two_branches_strides(free, sheet):
    points = torch.stack([free[:, axis::3] for axis in range(3)], dim=2)
    woven = torch.stack([sheet[:, axis].reshape(len(sheet), -1) for axis in range(3)], dim=2)
    return torch.cat([points.tanh(), woven.tanh()], dim=1)


# Mesh


def vertex_features_by_hand(image_map, vertices, camera, focal):
    b, h, w = len(image_map), *image_map.shape[2:]
    q = torch.einsum("bij,bvi->bvj", camera[:, :3, :3], vertices - camera[:, None, :3, 3])
    x = (w / 2 - focal * h * q[..., 0] / q[..., 2] - 0.5).clamp(0, w - 1)
    y = (h / 2 + focal * h * q[..., 1] / q[..., 2] - 0.5).clamp(0, h - 1)
    left, top = x.floor().clamp(max=w - 2), y.floor().clamp(max=h - 2)
    u, v = x - left, y - top
    left, top = left.long(), top.long()
    batch = torch.arange(b)[:, None]
    found = 0
    for dx, wx in ((0, 1 - u), (1, u)):
        for dy, wy in ((0, 1 - v), (1, v)):
            found = found + (wx * wy)[..., None] * image_map[batch, :, top + dy, left + dx]
    return found


def vertex_features_loop(image_map, vertices, camera, focal):
    rows = []
    for one_map, points, pose in zip(image_map, vertices, camera, strict=True):
        inverse = torch.linalg.inv(pose.double())
        q = points.double() @ inverse[:3, :3].T + inverse[:3, 3]
        where = 2 * focal * torch.stack([-q[:, 0] / q[:, 2], q[:, 1] / q[:, 2]], 1)
        grid = where.to(one_map.dtype)[None, None]
        found = F.grid_sample(one_map[None], grid, padding_mode="border", align_corners=False)
        rows.append(found[0, :, 0].T)
    return torch.stack(rows)


# Implicit


def modulate_einsum(x, scale, shift):
    return x + torch.einsum("bnc,bc->bnc", x, scale) + shift.unsqueeze(1)


def modulate_loop(x, scale, shift):
    return torch.stack([row * (scale[i] + 1) + shift[i] for i, row in enumerate(x)])


# Baseline and ambiguity


def retrieve_cdist(queries, gallery):
    return torch.cdist(queries.flatten(1), gallery.flatten(1)).argmin(dim=1)


def retrieve_loop(queries, gallery):
    return torch.stack([(gallery - q).square().sum((1, 2, 3)).argmin() for q in queries])


def visible_loop(points, camera, depth, focal):
    height, width = depth.shape
    seen = []
    for point in points:
        x, y, z = (camera[:3, :3].T @ (point - camera[:3, 3])).tolist()
        if z >= 0:
            seen.append(False)
            continue
        column = width / 2 - focal * height * x / z
        row = height / 2 + focal * height * y / z
        inside = 0 <= column < width and 0 <= row < height
        shown = float(depth[int(row), int(column)]) if inside else 0.0
        seen.append(shown > 0 and -z <= shown + 0.04)
    return torch.tensor(seen)


def visible_flat(points, camera, depth, focal):
    height, width = depth.shape
    q = (points - camera[:3, 3]) @ camera[:3, :3]
    column = (width / 2 - focal * height * q[:, 0] / q[:, 2]).floor().long()
    row = (height / 2 + focal * height * q[:, 1] / q[:, 2]).floor().long()
    good = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (q[:, 2] < 0)
    shown = torch.zeros(len(points)).to(depth)
    shown[good] = depth.reshape(-1)[(row * width + column)[good]]
    return good & (shown > 0) & (-q[:, 2] - shown <= 0.04)


ALTERNATIVES = {
    "occupancy_loss": (occupancy_loss_by_hand, occupancy_loss_loop),
    "grow": (grow_module, grow_stuffed),
    "two_branches": (two_branches_views, two_branches_strides),
    "vertex_image_features": (vertex_features_by_hand, vertex_features_loop),
    "modulate": (modulate_einsum, modulate_loop),
    "retrieve": (retrieve_cdist, retrieve_loop),
    "visible_points": (visible_loop, visible_flat),
}
