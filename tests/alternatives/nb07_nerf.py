"""Other right answers to the exercises of notebook 07."""

import math

import torch

from course_lib.volume import Composite


def rays_by_loop(height, width, focal, camera_to_world):
    rotation, position = camera_to_world[:3, :3], camera_to_world[:3, 3]
    rows = []
    for i in range(height):
        for j in range(width):
            d = torch.tensor([j + 0.5 - width / 2, height / 2 - i - 0.5, -float(focal)])
            rows.append(rotation @ (d / d.norm()).to(rotation))
    directions = torch.stack(rows).view(height, width, 3)
    return position.repeat(height, width, 1), directions


def rays_in_double(height, width, focal, camera_to_world):
    pose = camera_to_world.double()
    x = (torch.arange(width).double() + 0.5 - width / 2) / focal
    y = (height / 2 - torch.arange(height).double() - 0.5) / focal
    d = x[None, :, None] * pose[:3, 0] + y[:, None, None] * pose[:3, 1] - pose[:3, 2]
    d = d / torch.sqrt((d * d).sum(-1, keepdim=True))
    origins = pose[:3, 3].expand(height, width, 3)
    return origins.to(camera_to_world), d.to(camera_to_world)


def encoding_by_loop(x, n_frequencies):
    parts = []
    for k in range(n_frequencies):
        parts += [torch.sin(2**k * math.pi * x), torch.cos(2**k * math.pi * x)]
    return torch.cat(parts, dim=-1)


def encoding_by_shift(x, n_frequencies):
    """cos a = sin(a + π/2)."""
    angles = (x.double()[..., None, None, :] * math.pi) * (2.0 ** torch.arange(n_frequencies))[
        :, None, None
    ]
    shift = torch.tensor([0.0, math.pi / 2], dtype=torch.float64)[:, None]
    return torch.sin(angles + shift).flatten(-3).float()


def strata_by_edges(near, far, u):
    s = u.shape[-1]
    steps = torch.linspace(0, 1, s + 1)
    low = near[..., None] * (1 - steps[:-1]) + far[..., None] * steps[:-1]
    high = near[..., None] * (1 - steps[1:]) + far[..., None] * steps[1:]
    return low + (high - low) * u


def strata_by_loop(near, far, u):
    n, s = u.shape
    near, far = near.expand(n), far.expand(n)
    rows = [[near[r] + (far[r] - near[r]) * (i + u[r, i]) / s for i in range(s)] for r in range(n)]
    return torch.stack([torch.stack(row) for row in rows])


def weights_by_products(sigma, deltas):
    alpha = 1 - torch.exp(-sigma * deltas)
    passed = torch.cumprod(1 - alpha, dim=-1)
    return alpha * torch.cat([torch.ones_like(alpha[..., :1]), passed[..., :-1]], dim=-1)


def weights_by_loop(sigma, deltas):
    depth, weights = torch.zeros_like(sigma[..., 0]), []
    for i in range(sigma.shape[-1]):
        tau = sigma[..., i] * deltas[..., i]
        weights.append(torch.exp(-depth) * (1 - torch.exp(-tau)))
        depth = depth + tau
    return torch.stack(weights, dim=-1)


def composite_by_einsum(weights, colors, t, *, background=None):
    opacity = weights.sum(-1)
    color = torch.einsum("...s,...sc->...c", weights, colors)
    if background is not None:
        color = color + (1 - opacity).unsqueeze(-1) * background
    depth = torch.where(opacity > 0, (weights * t).sum(-1) / opacity.clamp(min=1e-9), 0.0)
    return Composite(color, depth, opacity)


def composite_back_to_front(weights, colors, t, *, background=None):
    """Painters' order: over and over again."""
    left = 1 - torch.cumsum(weights, dim=-1) + weights
    color = torch.as_tensor(0.0 if background is None else background)
    color = color.expand_as(colors[..., 0, :])
    for i in reversed(range(weights.shape[-1])):
        alpha = (weights[..., i] / left[..., i].clamp(min=1e-12))[..., None]
        color = alpha * colors[..., i, :] + (1 - alpha) * color
    opacity = weights.sum(-1)
    return color, torch.nan_to_num((weights * t).sum(-1) / opacity), opacity


def inverse_by_comparing(bins, weights, u):
    weights = torch.where(weights.sum(-1, keepdim=True) > 0, weights, torch.ones_like(weights))
    cdf = torch.cumsum(weights / weights.sum(-1, keepdim=True), -1)
    index = (u[..., None] >= cdf[..., None, :]).sum(-1).clamp(max=weights.shape[-1] - 1)
    full = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], -1)
    low, high = full.gather(-1, index), full.gather(-1, index + 1)
    start, end = bins.gather(-1, index), bins.gather(-1, index + 1)
    return start + (u - low) / (high - low) * (end - start)


def inverse_by_numpy(bins, weights, u):
    import numpy as np

    rows = []
    for edges, mass, numbers in zip(bins, weights, u, strict=True):
        mass = mass if mass.sum() > 0 else torch.ones_like(mass)
        cdf = np.concatenate([[0.0], np.cumsum(mass.double().numpy())])
        rows.append(torch.from_numpy(np.interp(numbers.numpy(), cdf / cdf[-1], edges.numpy())))
    return torch.stack(rows).float()


def psnr_by_norm(image, target):
    n = image.shape[-1] * image.shape[-2] * image.shape[-3]
    difference = (image - target).flatten(-3)
    return 10 * math.log10(n) - 20 * torch.log10(difference.norm(dim=-1))


def psnr_in_double(image, target):
    mse = torch.nn.functional.mse_loss(image.double(), target.double(), reduction="none")
    return (10 * torch.log10(1 / mse.flatten(-3).mean(-1))).float()


def query_by_functions(network, x, d):
    """With the weights themselves, and the skip as a sum of two products."""
    x = torch.cat([x, encoding_by_loop(x, network.position_frequencies)], dim=-1)
    d = torch.cat([d, encoding_by_loop(d, network.direction_frequencies)], dim=-1)
    h = x
    for i, layer in enumerate(network.trunk):
        out = h @ layer.weight[:, : h.shape[1]].T + layer.bias
        if 0 < i == network.skip:
            out = out + x @ layer.weight[:, h.shape[1] :].T
        h = out.clamp(min=0)
    sigma = torch.log1p(torch.exp(network.density(h).squeeze(-1) - 1))
    return sigma, 1 / (1 + torch.exp(-network.color(torch.cat((network.feature(h), d), 1))))


def query_point_by_point(network, x, d):
    sigmas, colors = [], []
    for point, direction in zip(x, d, strict=True):
        p = torch.cat([point, encoding_by_loop(point, network.position_frequencies)])
        v = torch.cat([direction, encoding_by_loop(direction, network.direction_frequencies)])
        h = torch.relu(network.trunk[0](p))
        for i in range(1, len(network.trunk)):
            h = torch.relu(network.trunk[i](torch.cat([h, p]) if i == network.skip else h))
        sigmas.append(torch.nn.functional.softplus(network.density(h)[0] - 1))
        colors.append(network.color(torch.cat([network.feature(h), v])).sigmoid())
    return torch.stack(sigmas), torch.stack(colors)


def trilinear_axis_by_axis(corners, fraction):
    v = corners
    for axis in range(3):
        x = fraction[:, axis].reshape(-1, *[1] * (v.ndim - 2))
        v = torch.lerp(v[:, 0], v[:, 1], x)
    return v


def trilinear_by_corners(corners, fraction):
    total = torch.zeros_like(corners[:, 0, 0, 0])
    for number in range(8):
        bits = [number >> 2, number >> 1 & 1, number & 1]
        w = torch.ones_like(fraction[:, 0])
        for axis, bit in enumerate(bits):
            w = w * (fraction[:, axis] if bit else 1 - fraction[:, axis])
        total = total + w[:, None] * corners[:, bits[0], bits[1], bits[2]]
    return total


def harmonics_in_numbers(harmonics, directions):
    """With the decimal constants that the papers' code has, in double precision."""
    x, y, z = directions.double().T
    h = harmonics.double().unbind(1)
    color = 0.28209479177387814 * h[0]
    if len(h) > 1:
        linear = -y[:, None] * h[1] + z[:, None] * h[2] - x[:, None] * h[3]
        color = color + 0.4886025119029199 * linear
    if len(h) > 4:
        terms = (x * y, -y * z, 0.28867513459481287 * (2 * z * z - x * x - y * y), -x * z)
        terms = (*terms, 0.5 * (x * x - y * y))
        for term, own in zip(terms, h[4:], strict=True):
            color = color + 1.0925484305920792 * term[:, None] * own
    return color.float()


def harmonics_one_by_one(harmonics, directions):
    rows = []
    for h, (x, y, z) in zip(harmonics, directions.tolist(), strict=True):
        s, t = math.sqrt(3 / math.pi) / 2, math.sqrt(15 / math.pi) / 2
        values = [math.sqrt(1 / math.pi) / 2, -s * y, s * z, -s * x, t * x * y, -t * y * z]
        values += [
            math.sqrt(5 / math.pi) / 4 * (3 * z * z - 1),
            -t * x * z,
            t / 2 * (x * x - y * y),
        ]
        rows.append(torch.tensor(values[: len(h)]) @ h)
    return torch.stack(rows)


def hash_by_masks(corners, size):
    """`& (size - 1)` keeps the lowest bits, as the modulo of a power of two does."""
    out = corners[..., 0].long() & (size - 1)
    for axis, prime in ((1, 2654435761), (2, 805459861)):
        out = out ^ (corners[..., axis].long() * prime & (size - 1))
    return out


def hash_in_python(corners, size):
    flat = [
        (x ^ (y * 2654435761 % 2**32) ^ (z * 805459861 % 2**32)) % size
        for x, y, z in corners.reshape(-1, 3).tolist()
    ]
    return torch.tensor(flat).view(corners.shape[:-1])


def density_by_masks(distance, beta):
    sigma = torch.empty_like(distance)
    outside = distance > 0
    sigma[outside] = torch.exp(-distance[outside] / beta) / (2 * beta)
    sigma[~outside] = (1 - torch.exp(distance[~outside] / beta) / 2) / beta
    return sigma


def density_by_a_distribution(distance, beta):
    return torch.distributions.Laplace(0.0, beta).cdf(-distance) / beta


ALTERNATIVES = {
    "laplace_density": (density_by_masks, density_by_a_distribution),
    "trilinear": (trilinear_axis_by_axis, trilinear_by_corners),
    "sh_color": (harmonics_in_numbers, harmonics_one_by_one),
    "hash_index": (hash_by_masks, hash_in_python),
    "query_field": (query_by_functions, query_point_by_point),
    "camera_rays": (rays_by_loop, rays_in_double),
    "positional_encoding": (encoding_by_loop, encoding_by_shift),
    "stratified_positions": (strata_by_edges, strata_by_loop),
    "compositing_weights": (weights_by_products, weights_by_loop),
    "composite": (composite_by_einsum, composite_back_to_front),
    "inverse_cdf": (inverse_by_comparing, inverse_by_numpy),
    "psnr": (psnr_by_norm, psnr_in_double),
}
