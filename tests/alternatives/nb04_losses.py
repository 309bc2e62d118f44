"""Right answers to notebook 04, written otherwise than the references."""

import torch
import torch.nn.functional as F

# IoU


def iou_loop(a, b):
    scores = []
    for one, other in zip(a, b, strict=True):
        one, other = (one >= 0.5).reshape(-1), (other >= 0.5).reshape(-1)
        union = torch.logical_or(one, other).sum().item()
        both = torch.logical_and(one, other).sum().item()
        scores.append(1.0 if union == 0 else both / union)
    return torch.tensor(scores)


def iou_products(a, b):
    a, b = (a >= 0.5).double().flatten(1), (b >= 0.5).double().flatten(1)
    both = (a * b).sum(1)
    union = a.sum(1) + b.sum(1) - both
    return torch.nan_to_num(both / union, nan=1.0)


def soft_iou_complement(a, b):
    axes = tuple(range(1, a.ndim))
    both, either = (a * b).sum(axes), (1 - (1 - a) * (1 - b)).sum(axes)
    return torch.where(either == 0, torch.ones_like(both), both / either.clamp(min=1e-12))


def soft_iou_loop(a, b):
    def one(x, y):
        x, y = x.double().reshape(-1), y.double().reshape(-1)
        both = x @ y
        either = x.sum() + y.sum() - both
        return both / either if either > 0 else torch.ones_like(both)

    return torch.stack([one(x, y) for x, y in zip(a, b, strict=True)])


# Clouds


def pairwise_squared(p, q):
    return (p[:, :, None] - q[:, None]).square().sum(-1)


def chamfer_all_pairs(p, q):
    table = pairwise_squared(p, q)
    return table.min(2).values.mean(1) + table.min(1).values.mean(1)


def chamfer_loop(p, q):
    totals = []
    for x, y in zip(p, q, strict=True):
        forth = sum(((point - y) ** 2).sum(1).min() for point in x) / len(x)
        back = sum(((point - x) ** 2).sum(1).min() for point in y) / len(y)
        totals.append(forth + back)
    return torch.stack(totals)


def chamfer_transposed_double(p, q):
    p, q = p.double().transpose(1, 2), q.double().transpose(1, 2)  # (b, 3, n), not contiguous
    table = (p[..., None] - q[..., None, :]).pow(2).sum(1)
    return table.amin(2).mean(-1) + table.amin(1).mean(-1)


def normal_all_pairs(p, q, p_normals, q_normals):
    table = pairwise_squared(p, q)
    batch = torch.arange(len(p))[:, None]
    p_cos = (p_normals * q_normals[batch, table.argmin(2)]).sum(-1)
    q_cos = (q_normals * p_normals[batch, table.argmin(1)]).sum(-1)
    return -p_cos.abs().mean(1) - q_cos.abs().mean(1)


def normal_loop(p, q, p_normals, q_normals):
    totals = []
    for x, y, u, w in zip(p, q, p_normals, q_normals, strict=True):
        forth = [abs(w[(y - x[i]).norm(dim=1).argmin()] @ u[i]) for i in range(len(x))]
        back = [abs(u[(x - y[j]).norm(dim=1).argmin()] @ w[j]) for j in range(len(y))]
        totals.append(-sum(forth) / len(x) - sum(back) / len(y))
    return torch.stack(totals)


# Meshes


def edge_norms(vertices, edges):
    start, end = vertices[edges].unbind(1)
    return (start - end).pow(2).sum(1).sum() / len(edges)


def edge_loop(vertices, edges):
    return sum(((vertices[i] - vertices[j]) ** 2).sum() for i, j in edges.tolist()) / len(edges)


def smooth_by_face_normals(vertices, faces):
    """The angle between the normals is π − θ, where both faces run round the same way."""
    a, b, c = vertices[faces].unbind(1)
    normals = F.normalize(torch.linalg.cross(b - a, c - a), dim=1)
    seen, pairs = {}, []
    for face, (i, j, k) in enumerate(faces.tolist()):
        for edge in ((i, j), (j, k), (k, i)):
            other, way = seen.setdefault(frozenset(edge), (face, edge))
            if other != face:
                pairs.append((other, face, -1 if way == edge else 1))
    first, second, sign = torch.tensor(pairs).T
    return (1 - sign * (normals[first] * normals[second]).sum(1)).square().sum()


def smooth_by_heights(vertices, faces):
    """θ is the angle between the two heights over the edge."""
    corners = {}
    for i, j, k in faces.tolist():
        for edge, corner in (((i, j), k), ((j, k), i), ((k, i), j)):
            corners.setdefault(tuple(sorted(edge)), []).append(corner)
    total = vertices.new_zeros(())
    for (i, j), beside in corners.items():
        if len(beside) == 2:
            along = F.normalize(vertices[j] - vertices[i], dim=0)
            one, other = (vertices[k] - vertices[i] for k in beside)
            one, other = one - (one @ along) * along, other - (other @ along) * along
            total = total + (F.cosine_similarity(one, other, dim=0) + 1) ** 2
    return total


def laplacian_matrix(vertices, edges):
    adjacency = torch.zeros(len(vertices), len(vertices), dtype=vertices.dtype)
    adjacency[edges[:, 0], edges[:, 1]] = 1
    adjacency[edges[:, 1], edges[:, 0]] = 1
    degree = adjacency.sum(1, keepdim=True)
    return torch.where(degree > 0, vertices - adjacency @ vertices / degree.clamp(min=1), 0)


def laplacian_loop(vertices, edges):
    near = [[] for _ in vertices]
    for i, j in edges.tolist():
        near[i].append(j)
        near[j].append(i)
    pairs = zip(vertices, near, strict=True)
    return torch.stack([p - vertices[k].mean(0) if k else 0 * p for p, k in pairs])


def laplacian_loss_matrix(vertices, edges):
    return laplacian_matrix(vertices.double(), edges).pow(2).sum(1).mean()


def laplacian_loss_loop(vertices, edges):
    return sum((delta**2).sum() for delta in laplacian_loop(vertices, edges)) / len(vertices)


# Metrics


def f_all_pairs(p, q, threshold):
    table = pairwise_squared(p, q).sqrt()
    precision = (table.amin(2) < threshold).double().mean(1)
    recall = (table.amin(1) < threshold).double().mean(1)
    return 2 * precision * recall / (precision + recall).clamp(min=1e-12)


def f_loop(p, q, threshold):
    scores = []
    for x, y in zip(p, q, strict=True):
        precision = sum(bool((y - point).norm(dim=1).min() < threshold) for point in x) / len(x)
        recall = sum(bool((x - point).norm(dim=1).min() < threshold) for point in y) / len(y)
        total = precision + recall
        scores.append(2 * precision * recall / total if total else 0.0)
    return torch.tensor(scores)


def hausdorff_all_pairs(p, q):
    table = pairwise_squared(p, q)
    worst = torch.stack([table.amin(2).amax(1), table.amin(1).amax(1)])
    return worst.amax(0).sqrt()


def hausdorff_loop(p, q):
    results = []
    for x, y in zip(p, q, strict=True):
        forth = max((y - point).norm(dim=1).min() for point in x)
        back = max((x - point).norm(dim=1).min() for point in y)
        results.append(max(forth, back))
    return torch.stack(results)


ALTERNATIVES = {
    "iou": (iou_loop, iou_products),
    "soft_iou": (soft_iou_complement, soft_iou_loop),
    "chamfer_distance": (chamfer_all_pairs, chamfer_loop, chamfer_transposed_double),
    "normal_loss": (normal_all_pairs, normal_loop),
    "edge_loss": (edge_norms, edge_loop),
    "smooth_loss": (smooth_by_face_normals, smooth_by_heights),
    "laplacian_coordinates": (laplacian_matrix, laplacian_loop),
    "laplacian_loss": (laplacian_loss_matrix, laplacian_loss_loop),
    "f_score": (f_all_pairs, f_loop),
    "hausdorff_distance": (hausdorff_all_pairs, hausdorff_loop),
}
