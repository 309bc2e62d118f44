"""Differently written right answers to the exercises of notebook 02."""

import itertools

import torch


def shared_mlp_by_a_loop(points, weights, biases):
    clouds = []
    for cloud in points:
        rows = []
        for x in cloud:
            for weight, bias in zip(weights, biases, strict=True):
                x = (weight.T @ x + bias).clamp_min(0)
            rows.append(x)
        clouds.append(torch.stack(rows))
    return torch.stack(clouds)


def shared_mlp_by_convolution(points, weights, biases):
    x = points.transpose(1, 2).double()  # (b, c, n)
    for weight, bias in zip(weights, biases, strict=True):
        x = torch.nn.functional.conv1d(x, weight.T[:, :, None].double(), bias.double())
        x = torch.where(x > 0, x, 0.0)
    return x.transpose(1, 2).float()


def max_pool_by_a_loop(features, present):
    return torch.stack([f[p].max(dim=0).values for f, p in zip(features, present, strict=True)])


def max_pool_by_subtraction(features, present):
    low = features.min() - 1
    mask = present[..., None]
    return ((features - low) * mask).max(dim=1).values + low


def kmeans_by_loops(points, centers):
    labels = []
    for point in points:
        squares = [float(((point - center) ** 2).sum()) for center in centers]
        labels.append(squares.index(min(squares)))
    labels = torch.tensor(labels)
    rows = [
        points[labels == k].mean(0) if (labels == k).any() else center
        for k, center in enumerate(centers)
    ]
    return labels, torch.stack(rows)


def kmeans_by_one_hot(points, centers):
    labels = (points[:, None] - centers[None]).pow(2).sum(-1).min(dim=1).indices
    member = torch.nn.functional.one_hot(labels, len(centers)).T.to(points)
    counts = member.sum(1, keepdim=True)
    return labels, torch.where(counts > 0, member @ points / counts.clamp_min(1), centers)


def rand_index_by_pairs(a, b):
    n, together, in_a, in_b = len(a), 0, 0, 0
    for i, j in itertools.combinations(range(n), 2):
        same_a, same_b = bool(a[i] == a[j]), bool(b[i] == b[j])
        together, in_a, in_b = together + (same_a and same_b), in_a + same_a, in_b + same_b
    expected = in_a * in_b / (n * (n - 1) / 2)
    largest = (in_a + in_b) / 2
    return torch.tensor(
        1.0 if largest == expected else (together - expected) / (largest - expected)
    )


def rand_index_by_matrices(a, b):
    same_a, same_b = (x[:, None] == x[None] for x in (a, b))
    n = len(a)
    s, in_a, in_b = (((m.double().sum() - n) / 2) for m in (same_a & same_b, same_a, same_b))
    expected = in_a * in_b / (n * (n - 1) / 2)
    return ((s - expected) / ((in_a + in_b) / 2 - expected)).nan_to_num(1.0).float()


def path_by_lerp(decoder, start, end, points, steps):
    return torch.stack(
        [decoder(torch.lerp(start, end, i / (steps - 1)), points) for i in range(steps)]
    )


def path_by_adding(decoder, start, end, points, steps):
    result = torch.empty(steps, len(points))
    for i in range(steps):
        result[i] = decoder(start + (end - start) * i / (steps - 1), points)
    return result


def flow_by_a_loop(velocity, data, noise, t):
    total = 0.0
    for row in range(len(t)):
        z = noise[row] + t[row] * (data[row] - noise[row])
        error = velocity(z[None], t[row : row + 1])[0] - data[row] + noise[row]
        total = total + (error @ error) / len(error)
    return total / len(t)


def flow_by_torch(velocity, data, noise, t):
    moved = torch.lerp(noise, data, t.unsqueeze(1))
    return torch.nn.functional.mse_loss(velocity(moved, t), data - noise)


def coverage_by_a_set(distances):
    found = {min(range(len(row)), key=row.__getitem__) for row in distances.tolist()}
    return torch.tensor(len(found) / distances.shape[1])


def coverage_by_marking(distances):
    marked = torch.zeros(distances.shape[1])
    marked[distances.min(dim=1).indices] = 1
    return marked.mean()


def matching_by_a_loop(distances):
    columns = [min(column) for column in distances.T.tolist()]
    return torch.tensor(sum(columns) / len(columns))


def matching_by_sorting(distances):
    return distances.double().sort(dim=0).values[0].mean().float()


def kinematics_by_walking_up(parents, local):
    result = []
    for joint in range(len(parents)):
        matrix, here = local[joint], parents[joint]
        while here >= 0:
            matrix, here = local[here] @ matrix, parents[here]
        result.append(matrix)
    return torch.stack(result)


def kinematics_in_place(parents, local):
    world = local.double().clone()
    for joint, parent in enumerate(parents):
        if parent != -1:
            world[joint] = torch.matmul(world[parent], world[joint])
    return world.float()


def skinning_by_a_loop(vertices, weights, motions):
    rows = []
    for vertex, weight in zip(vertices, weights, strict=True):
        point = torch.cat([vertex, vertex.new_ones(1)])
        places = [w * (m @ point)[:3] for w, m in zip(weight, motions, strict=True)]
        rows.append(sum(places))
    return torch.stack(rows)


def skinning_by_rotation_and_shift(vertices, weights, motions):
    turned = torch.einsum("jab,vb->vja", motions[:, :3, :3], vertices) + motions[:, :3, 3]
    return (weights[:, :, None] * turned).sum(dim=1)


ALTERNATIVES = {
    "shared_mlp": (shared_mlp_by_a_loop, shared_mlp_by_convolution),
    "max_pool_points": (max_pool_by_a_loop, max_pool_by_subtraction),
    "kmeans_step": (kmeans_by_loops, kmeans_by_one_hot),
    "adjusted_rand_index": (rand_index_by_pairs, rand_index_by_matrices),
    "decode_path": (path_by_lerp, path_by_adding),
    "flow_matching_loss": (flow_by_a_loop, flow_by_torch),
    "coverage": (coverage_by_a_set, coverage_by_marking),
    "minimum_matching_distance": (matching_by_a_loop, matching_by_sorting),
    "forward_kinematics": (kinematics_by_walking_up, kinematics_in_place),
    "linear_blend_skinning": (skinning_by_a_loop, skinning_by_rotation_and_shift),
}
