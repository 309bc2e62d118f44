"""Right answers to notebook 03, written otherwise than the references."""

import itertools

import torch
import torch.nn.functional as F


def voxelize_loop(sdf, resolution):
    grid = torch.zeros(resolution, resolution, resolution, dtype=torch.bool)
    line = [-1 + (2 * i + 1) / resolution for i in range(resolution)]
    for i, x in enumerate(line):
        yz = torch.tensor(list(itertools.product(line, line)))
        p = torch.cat((torch.full((len(yz), 1), x), yz), dim=1)
        grid[i] = (sdf(p) <= 0).reshape(resolution, resolution)
    return grid


def voxelize_linspace(sdf, resolution):
    line = torch.linspace(-1 + 1 / resolution, 1 - 1 / resolution, resolution)
    return sdf(torch.cartesian_prod(line, line, line)).reshape((resolution,) * 3).le(0)


def fraction_count(grid):
    return grid.sum() / grid.numel()


def fraction_double(grid):
    return torch.tensor(grid.double().sum().item() / grid.numel())


def conv_layer(channels, resolution, kernel, stride=1, padding=0):
    layer = torch.nn.Conv3d(*channels, kernel, stride=stride, padding=padding)
    side = layer(torch.zeros(1, channels[0], *(resolution,) * 3)).shape[-1]
    parameters = layer.weight.numel() + layer.bias.numel()
    return side, parameters, side**3 * channels[1] * 4


def conv_steps(channels, resolution, kernel, stride=1, padding=0):
    starts = range(-padding, resolution + padding - kernel + 1, stride)
    weights = channels[0] * channels[1] * kernel * kernel * kernel
    return len(starts), weights + channels[1], len(starts) ** 3 * channels[1] * 4


def points_to_voxels_loop(points, resolution):
    grid = torch.zeros((resolution,) * 3, dtype=torch.bool)
    for x, y, z in points.tolist():
        i, j, k = (min(resolution - 1, int((c + 1) / 2 * resolution)) for c in (x, y, z))
        grid[i, j, k] = True
    return grid


def points_to_voxels_flat(points, resolution):
    index = torch.clamp(((points + 1) / 2 * resolution).long(), max=resolution - 1)
    flat = (index[:, 0] * resolution + index[:, 1]) * resolution + index[:, 2]
    return (torch.bincount(flat, minlength=resolution**3) > 0).reshape((resolution,) * 3)


def inertia_loop(grid):
    r = len(grid)
    s = 2 / r
    where = -1 + (2 * grid.nonzero().double() + 1) / r
    where = where - where.mean(0)
    total = torch.zeros(3, 3).double()
    for x in where:
        total += s**3 * ((x @ x + s * s / 6) * torch.eye(3) - torch.outer(x, x))
    return total.float()


def inertia_einsum(grid):
    r = len(grid)
    x = (2 * grid.nonzero().float() + 1) / r - 1
    x = x - x.mean(0)
    outer = torch.einsum("ni,nj->ij", x, x)
    own = len(x) * (2 / r) ** 2 / 6
    return (2 / r) ** 3 * (torch.diag(outer.diagonal().sum().repeat(3) + own) - outer)


def unproject_inverse(depth, intrinsics, camera_to_world):
    h, w = depth.shape
    v, u = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    rays = torch.stack((u, v, torch.ones_like(u)), -1) @ torch.linalg.inv(intrinsics).T
    local = rays * depth[..., None] * torch.tensor([1.0, -1.0, -1.0])
    ones = torch.ones(h, w, 1)
    return (torch.cat((local, ones), -1) @ camera_to_world.T)[..., :3]


def unproject_loop(depth, intrinsics, camera_to_world):
    out = torch.zeros(*depth.shape, 3)
    for i, j in itertools.product(*map(range, depth.shape)):
        z = depth[i, j]
        x = (j + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0] * z
        y = (intrinsics[1, 2] - i - 0.5) / intrinsics[1, 1] * z
        out[i, j] = camera_to_world[:3, :3] @ torch.stack((x, y, -z)) + camera_to_world[:3, 3]
    return out


def transform_loop(points, matrix):
    rows = []
    for p in points:
        q = matrix @ torch.cat((p, torch.ones(1)))
        rows.append(q[:3] / q[3])
    return torch.stack(rows)


def transform_split(points, matrix):
    w = points @ matrix[3, :3] + matrix[3, 3]
    return ((matrix[:3, :3] @ points.T).T + matrix[:3, 3]) / w[:, None]


def triangles_loop(corners, uniform):
    areas = [float(torch.linalg.cross(b - a, c - a).norm()) for a, b, c in corners]
    rows = []
    for r, u, v in uniform.tolist():
        target, face = r * sum(areas), 0
        while face < len(areas) - 1 and target >= sum(areas[: face + 1]):
            face += 1
        a, b, c = corners[face]
        rows.append(a + u**0.5 * ((1 - v) * (b - a) + v * (c - a)))
    return torch.stack(rows)


def triangles_weights(corners, uniform):
    edges = corners[:, 1:] - corners[:, :1]
    area = torch.linalg.cross(edges[:, 0], edges[:, 1]).norm(dim=1).double()
    share = torch.cumsum(area / area.sum(), 0)
    face = (uniform[:, :1] >= share).sum(1).clamp(max=len(area) - 1)
    s = uniform[:, 1].sqrt()
    weights = torch.stack((1 - s, s * (1 - uniform[:, 2]), s * uniform[:, 2]), 1)
    return torch.einsum("nc,ncd->nd", weights, corners[face])


def normals_svd(points, k=12):
    near = torch.cdist(points, points).topk(k, largest=False).indices
    around = points[near] - points[near].mean(1, keepdim=True)
    return torch.linalg.svd(around, full_matrices=False).Vh[:, 2]


def normals_loop(points, k=12):
    rows = []
    for p in points:
        near = points[(points - p).norm(dim=1).argsort()[:k]]
        rows.append(torch.linalg.eigh(torch.cov(near.T.double())).eigenvectors[:, 0].float())
    return torch.stack(rows)


def areas_heron(mesh):
    a, b, c = mesh.corners.double().unbind(1)
    x, y, z = (b - a).norm(dim=1), (c - b).norm(dim=1), (a - c).norm(dim=1)
    s = (x + y + z) / 2
    return (s * (s - x) * (s - y) * (s - z)).sqrt().to(mesh.vertices.dtype)


def areas_loop(mesh):
    rows = []
    for i, j, k in mesh.faces.tolist():
        a, b, c = mesh.vertices[i], mesh.vertices[j], mesh.vertices[k]
        rows.append(torch.linalg.cross(c - b, a - b).norm() / 2)
    return torch.stack(rows)


def face_normals_normalize(mesh):
    a, b, c = mesh.corners.unbind(1)
    return F.normalize(torch.linalg.cross(c - b, a - b), dim=1)


def face_normals_components(mesh):
    u, w = (mesh.corners[:, i] - mesh.corners[:, 0] for i in (1, 2))
    x = u[:, 1] * w[:, 2] - u[:, 2] * w[:, 1]
    y = u[:, 2] * w[:, 0] - u[:, 0] * w[:, 2]
    z = u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]
    n = torch.stack((x, y, z), 1)
    return n / (x * x + y * y + z * z).sqrt()[:, None].clamp(min=1e-12)


def euler_sets(faces):
    vertices, edges = set(), set()
    for face in faces.tolist():
        vertices |= set(face)
        edges |= {frozenset((face[i], face[i - 1])) for i in range(3)}
    return len(vertices) - len(edges) + len(faces)


def euler_matrix(faces):
    n = int(faces.max()) + 1
    a = torch.zeros(n, n, dtype=torch.bool)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a[faces[:, i], faces[:, j]] = a[faces[:, j], faces[:, i]] = True
    return int(a.any(0).sum()) - int(a.sum()) // 2 + len(faces)


def graph_dense(features, edges, weight, bias):
    a = torch.eye(len(features))
    a[edges[:, 0], edges[:, 1]] = 1
    a[edges[:, 1], edges[:, 0]] = 1
    d = torch.diag(a.sum(1) ** -0.5)
    return d @ a @ d @ features @ weight + bias


def graph_loop(features, edges, weight, bias):
    near = [[i] for i in range(len(features))]
    for i, j in edges.tolist():
        near[i].append(j)
        near[j].append(i)
    rows = []
    for here in near:
        d = len(here)
        rows.append(sum(features[j] / (d * len(near[j])) ** 0.5 for j in here) @ weight + bias)
    return torch.stack(rows)


def sphere_norm(radius=0.8, center=(0.0, 0.0, 0.0)):
    return lambda p: torch.linalg.vector_norm(p - torch.tensor(center), dim=-1) - radius


def sphere_root(radius=0.8, center=(0.0, 0.0, 0.0)):
    return lambda p: sum((p[..., i] - center[i]) ** 2 for i in range(3)).sqrt() - radius


def box_tensor(size=1.0, center=(0.0, 0.0, 0.0)):
    def sdf(p):
        q = (p - torch.tensor(center)).abs() - torch.tensor(size) / 2
        return q.clamp(min=0).norm(dim=-1) + q.amax(-1).clamp(max=0)

    return sdf


def box_where(size=1.0, center=(0.0, 0.0, 0.0)):
    def sdf(p):
        q = (p - torch.tensor(center)).abs() - torch.tensor(size) / 2
        inside = (q < 0).all(-1)
        return torch.where(inside, q.max(-1).values, F.relu(q).square().sum(-1).sqrt())

    return sdf


def torus_hypot(radius=0.6, tube=0.2, center=(0.0, 0.0, 0.0)):
    def sdf(p):
        x, y, z = (p - torch.tensor(center)).unbind(-1)
        return torch.hypot(torch.hypot(x, z) - radius, y) - tube

    return sdf


def torus_nearest(radius=0.6, tube=0.2, center=(0.0, 0.0, 0.0)):
    def sdf(p):
        p = p - torch.tensor(center)
        ring = (p[..., 0] ** 2 + p[..., 2] ** 2) ** 0.5
        return ((ring - radius) ** 2 + p[..., 1] ** 2) ** 0.5 - tube

    return sdf


def difference_stack(a, b):
    return lambda p: torch.stack((a(p), -b(p))).amax(0)


def difference_minimum(a, b):
    return lambda p: -torch.minimum(-a(p), b(p))


def project_autograd(points, sdf, steps=5):
    for _ in range(steps):
        p = points.clone().requires_grad_()
        value = sdf(p)
        value.sum().backward()
        points = points - (value.detach() / p.grad.pow(2).sum(1).clamp(min=1e-9))[:, None] * p.grad
    return points


def project_differences(points, sdf, steps=5):
    step, shifts = 1e-3, torch.eye(3, dtype=torch.float64)
    p = points.double()
    for _ in range(steps):
        ahead = torch.stack([sdf(p + step * s) for s in shifts], -1)
        behind = torch.stack([sdf(p - step * s) for s in shifts], -1)
        g = (ahead - behind) / (2 * step)
        p = p - sdf(p)[:, None] * g / g.square().sum(1, keepdim=True).clamp(min=1e-9)
    return p.float()


def pool_max(features):
    return features.max(dim=1).values


def pool_loop(features):
    best = features[:, 0]
    for view in range(1, features.shape[1]):
        best = torch.where(features[:, view] > best, features[:, view], best)
    return best


def hull_matrix(masks, cameras, resolution, *, focal=None):
    _, h, w = masks.shape
    f = float(w) if focal is None else focal
    line = (2 * torch.arange(resolution) + 1) / resolution - 1
    x = torch.cartesian_prod(line, line, line)
    inside = torch.ones(len(x), dtype=torch.bool)
    for mask, pose in zip(masks, cameras, strict=True):
        q = (x - pose[:3, 3]) @ pose[:3, :3]
        column = torch.floor(w / 2 - f * q[:, 0] / q[:, 2]).long()
        row = torch.floor(h / 2 + f * q[:, 1] / q[:, 2]).long()
        good = (q[:, 2] < 0) & (column >= 0) & (column < w) & (row >= 0) & (row < h)
        good[good.clone()] = mask[row[good], column[good]]
        inside = inside & good
    return inside.reshape((resolution,) * 3)


def hull_padded(masks, cameras, resolution, *, focal=None):
    from course_lib.cameras import project
    from course_lib.voxels import voxel_centers

    v, h, w = masks.shape
    f = float(w) if focal is None else focal
    x = voxel_centers(resolution).reshape(-1, 3)
    votes = torch.zeros(len(x))
    for mask, pose in zip(masks, cameras, strict=True):
        pixels, depth = project(x, pose, f, h, w)
        padded = F.pad(mask.float(), (1, 1, 1, 1))
        column = (pixels[:, 0].floor() + 1).clamp(0, w + 1).long()
        row = (pixels[:, 1].floor() + 1).clamp(0, h + 1).long()
        votes += padded[row, column] * (depth > 0)
    return (votes == v).reshape((resolution,) * 3)


def homography_points(intrinsics, source_to_target, normal, distance):
    inverse = torch.linalg.inv(intrinsics.double())
    n, move = normal.double(), source_to_target.double()
    columns = []
    for pixel in torch.eye(3).double():
        ray = inverse @ pixel
        columns.append(move[:3, :3] @ ray + move[:3, 3] * (n @ ray) / distance)
    return (intrinsics.double() @ torch.stack(columns, 1)).float()


def homography_einsum(intrinsics, source_to_target, normal, distance):
    both = source_to_target[:3, :3] + torch.einsum(
        "i,j->ij", source_to_target[:3, 3], normal / distance
    )
    return torch.linalg.solve(intrinsics.T, (intrinsics @ both).T).T


def over_back_to_front(rgba):
    out = torch.zeros_like(rgba[0, ..., :3])
    for plane in reversed(rgba):
        out = plane[..., 3:] * plane[..., :3] + (1 - plane[..., 3:]) * out
    return out


def over_front_to_back(rgba):
    out, light = 0.0, torch.ones_like(rgba[0, ..., 3:])
    for plane in rgba:
        out = out + light * plane[..., 3:] * plane[..., :3]
        light = light * (1 - plane[..., 3:])
    return out


ALTERNATIVES = {
    "voxelize": (voxelize_loop, voxelize_linspace),
    "occupied_fraction": (fraction_count, fraction_double),
    "conv3d_cost": (conv_layer, conv_steps),
    "points_to_voxels": (points_to_voxels_loop, points_to_voxels_flat),
    "inertia_tensor": (inertia_loop, inertia_einsum),
    "unproject_depth": (unproject_inverse, unproject_loop),
    "apply_transform": (transform_loop, transform_split),
    "points_on_triangles": (triangles_loop, triangles_weights),
    "pca_normals": (normals_svd, normals_loop),
    "face_areas": (areas_heron, areas_loop),
    "face_normals": (face_normals_normalize, face_normals_components),
    "euler_characteristic": (euler_sets, euler_matrix),
    "graph_convolution": (graph_dense, graph_loop),
    "sphere": (sphere_norm, sphere_root),
    "box": (box_tensor, box_where),
    "torus": (torus_hypot, torus_nearest),
    "difference": (difference_stack, difference_minimum),
    "project_to_surface": (project_autograd, project_differences),
    "view_pool": (pool_max, pool_loop),
    "visual_hull": (hull_matrix, hull_padded),
    "plane_homography": (homography_points, homography_einsum),
    "over_composite": (over_back_to_front, over_front_to_back),
}
