"""Other right answers to the exercises of notebook 08."""

import math

import torch

from course_lib.cameras import quaternion_to_matrix


def covariance_by_outer_products(scales, quaternions):
    """Σ = Σₖ sₖ² rₖ rₖᵀ over the columns of R."""
    columns = quaternion_to_matrix(quaternions).unbind(-1)
    return sum(
        s[..., None, None] ** 2 * r[..., :, None] * r[..., None, :]
        for s, r in zip(scales.unbind(-1), columns, strict=True)
    )


def covariance_by_einsum(scales, quaternions):
    q = quaternions / quaternions.norm(dim=-1, keepdim=True)
    r = quaternion_to_matrix(q)
    return torch.einsum("...ik,...k,...jk->...ij", r, scales * scales, r)


def jacobian_by_autograd(points, focal):
    def pixel(p):
        return torch.stack([focal[0] * p[0] / -p[2], -focal[1] * p[1] / -p[2]])

    return torch.stack([torch.autograd.functional.jacobian(pixel, p) for p in points])


def jacobian_by_entries(points, focal):
    out = torch.zeros(len(points), 2, 3)
    for i, (x, y, z) in enumerate(points.tolist()):
        out[i, 0, 0], out[i, 0, 2] = -focal[0] / z, focal[0] * x / z**2
        out[i, 1, 1], out[i, 1, 2] = focal[1] / z, -focal[1] * y / z**2
    return out


def projected_by_einsum(covariances, rotation, jacobians):
    local = torch.einsum("ji,njk,kl->nil", rotation, covariances, rotation)
    flat = torch.einsum("nij,njk,nlk->nil", jacobians, local, jacobians)
    return flat + torch.diag(torch.full((2,), 0.3))


def projected_one_by_one(covariances, rotation, jacobians):
    rows = [
        j @ rotation.T @ s @ rotation @ j.T for s, j in zip(covariances, jacobians, strict=True)
    ]
    return torch.stack(rows) + 0.3 * torch.eye(2)


def alpha_by_matrices(offsets, conics, opacities):
    a, b, c = conics
    matrix = torch.stack([torch.stack([a, b], -1), torch.stack([b, c], -1)], -2)
    d = torch.stack(tuple(offsets), -1)
    power = torch.einsum("...i,...ij,...j->...", d, matrix, d)
    return torch.clamp(opacities * torch.exp(-power / 2), max=0.99)


def alpha_by_logarithms(offsets, conics, opacities):
    (x, y), (a, b, c) = offsets, conics
    log = opacities.log() - (a * x**2 + 2 * b * x * y + c * y**2) / 2
    return torch.minimum(log.exp(), torch.tensor(0.99))


def reach_by_where(opacity):
    r2 = 2 * torch.log(255 * opacity.clamp(min=1e-9))
    return torch.where(r2 > 0, r2.clamp(min=0).sqrt(), 0.0)


def reach_one_by_one(opacity):
    return torch.tensor(
        [math.sqrt(max(0.0, 2 * math.log(255 * max(o, 1e-9)))) for o in opacity.tolist()]
    )


def blend_by_loop(alphas, colors, depths):
    light, total = torch.ones_like(alphas[..., 0]), 0
    for i in depths.sort()[1].tolist():
        total = total + (light * alphas[..., i])[..., None] * colors[i]
        light = light * (1 - alphas[..., i])
    return total


def blend_back_to_front(alphas, colors, depths):
    total = torch.zeros(*alphas.shape[:-1], colors.shape[-1])
    for i in depths.argsort(descending=True).tolist():
        a = alphas[..., i, None]
        total = a * colors[i] + (1 - a) * total
    return total


def sums_by_splitting(values, counts):
    return torch.cat([part.cumsum(0) - part for part in values.split(counts.tolist())])


def sums_by_comparing(values, counts):
    group = torch.repeat_interleave(torch.arange(len(counts)), counts)
    place = torch.arange(len(values))
    before = (group[:, None] == group) & (place < place[:, None])
    return before.to(values.dtype) @ values


def split_in_double(opacity):
    o = opacity.double()
    half = -torch.expm1(0.5 * torch.log1p(-o))
    return half.float(), (o / (2 * half - half * half * math.sqrt(0.5))).float()


def split_by_products(opacity):
    half = 1 - torch.pow(1 - opacity, 0.5)
    return half, opacity / (half * (2 - half / math.sqrt(2)))


ALTERNATIVES = {
    "covariance": (covariance_by_outer_products, covariance_by_einsum),
    "projection_jacobian": (jacobian_by_autograd, jacobian_by_entries),
    "project_covariance": (projected_by_einsum, projected_one_by_one),
    "splat_alpha": (alpha_by_matrices, alpha_by_logarithms),
    "splat_reach": (reach_by_where, reach_one_by_one),
    "blend_splats": (blend_by_loop, blend_back_to_front),
    "sums_before": (sums_by_splitting, sums_by_comparing),
    "split_in_two": (split_in_double, split_by_products),
}
