"""Differently written right answers to the exercises of notebook 06."""

import numpy as np
import torch


def project_by_inverse(points, camera_to_world, focal, height, width):
    ones = torch.ones(len(points), 1).to(points)
    q = torch.linalg.inv(camera_to_world) @ torch.cat([points, ones], dim=1).T  # (4, n)
    x, y, z = q[0], q[1], -q[2]
    return torch.stack((x / z * focal + width / 2, -y / z * focal + height / 2), dim=1), z


def project_by_a_loop(points, camera_to_world, focal, height, width):
    right, up, back, eye = camera_to_world[:3].double().unbind(dim=1)
    pixels, depths = [], []
    for point in points.double():
        away = point - eye
        depth = -(away @ back)
        column = width / 2 + focal * (away @ right) / depth
        pixels.append(torch.stack([column, height / 2 - focal * (away @ up) / depth]))
        depths.append(depth)
    return torch.stack(pixels).to(points.dtype), torch.stack(depths).to(points.dtype)


def barycentric_by_solving(points, triangle):
    system = torch.cat([triangle.T, torch.ones(1, 3)]).double()
    right = torch.cat([points.T, torch.ones(1, len(points))]).double()
    return torch.linalg.solve(system, right).T.float()


def barycentric_by_a_loop(points, triangle):
    def area(a, b, c):
        return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2

    a, b, c = triangle.double()
    whole = area(a, b, c)
    rows = [[area(p, b, c), area(a, p, c), area(a, b, p)] for p in points.double()]
    return torch.tensor(rows) / whole


def perspective_by_a_loop(barycentric, depth):
    weights, depths = [], []
    for row in barycentric.double():
        z = 1 / sum(b / d for b, d in zip(row, depth.double(), strict=True))
        depths.append(z)
        weights.append(row * z / depth)
    return torch.stack(weights).float(), torch.stack(depths).float()


def perspective_by_matrix(barycentric, depth):
    inverse = 1.0 / depth
    z = (barycentric @ inverse).reciprocal()
    return torch.einsum("ni,i,n->ni", barycentric, inverse, z), z


def nearest_by_numpy(depth):
    array = depth.numpy()
    face = np.argmin(array, axis=0)
    face[np.isinf(array).all(axis=0)] = -1
    return torch.from_numpy(face)


def nearest_by_a_buffer(depth):
    buffer = torch.full(depth.shape[1:], torch.inf)
    face = torch.full(depth.shape[1:], -1)
    for index, layer in enumerate(depth):
        closer = layer < buffer
        buffer[closer], face[closer] = layer[closer], index
    return face


def coverage_by_tanh(squared_distance, inside, sigma):
    sign = 2.0 * inside.float() - 1
    return (1 + torch.tanh(sign * squared_distance / sigma / 2)) / 2


def coverage_by_two_cases(squared_distance, inside, sigma):
    outside = torch.sigmoid(-squared_distance.double() / sigma)
    return torch.where(inside, 1 - outside, outside).float()


def union_one_by_one(coverage):
    covered = torch.zeros_like(coverage[0])
    for one in coverage:
        covered = covered + (1 - covered) * one
    return covered


def union_face_by_face(coverage):
    return 1 - torch.stack([1 - face for face in coverage]).cumprod(dim=0)[-1]


def march_by_points(sdf, origins, directions, steps):
    points, travelled = origins.clone(), torch.zeros(len(origins))
    for _ in range(steps):
        free = sdf(points)
        points = points + free.unsqueeze(1) * directions
        travelled = travelled + free
    return travelled


def march_ray_by_ray(sdf, origins, directions, steps):
    distances = []
    for origin, direction in zip(origins, directions, strict=True):
        t = origin.new_zeros(())
        for _ in range(steps):
            t = t + sdf((origin + t * direction)[None])[0]
        distances.append(t)
    return torch.stack(distances)


ALTERNATIVES = {
    "project": (project_by_inverse, project_by_a_loop),
    "barycentric_coordinates": (barycentric_by_solving, barycentric_by_a_loop),
    "perspective_correct": (perspective_by_a_loop, perspective_by_matrix),
    "nearest_face": (nearest_by_numpy, nearest_by_a_buffer),
    "soft_coverage": (coverage_by_tanh, coverage_by_two_cases),
    "union_coverage": (union_one_by_one, union_face_by_face),
    "march_rays": (march_by_points, march_ray_by_ray),
}
