"""A sparse grid of features: rows of tables at the corners of occupied cells, read trilinearly."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

CORNERS = torch.tensor([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])


class SparseGrid:
    """Features at the corners of those cells of a resolution³ grid over [-1, 1]³ that are occupied.

    `tables` are the parameters, one for each kind of feature, with a row for each corner in use;
    corners not in use share row 0.
    """

    def __init__(self, cells: Bool[Tensor, "r r r"], *features: int):
        n, device = cells.shape[0] + 1, cells.device
        self.resolution = n - 1
        used = torch.zeros(n, n, n, dtype=torch.bool, device=device)
        index = cells.nonzero()
        for corner in CORNERS.to(device):
            used[tuple((index + corner).T)] = True
        self.used = used.view(-1).nonzero()[:, 0]
        self.row = torch.zeros(n**3, dtype=torch.int32, device=device)
        self.row[self.used] = torch.arange(len(self.used), dtype=torch.int32, device=device)
        self.corner = ((CORNERS[:, 0] * n + CORNERS[:, 1]) * n + CORNERS[:, 2]).int().to(device)
        rows = len(self.used)
        self.tables = [torch.zeros(rows, c, device=device).requires_grad_() for c in features]
        self.neighbors = self._neighbors()

    @property
    def voxel(self) -> float:
        """The side of a cell in [-1, 1]³."""
        return 2 / self.resolution

    def corner_positions(self) -> Float[Tensor, "m 3"]:
        """Where the rows of the table are, in [-1, 1]³."""
        n = self.resolution + 1
        index = torch.stack([self.used // (n * n), self.used // n % n, self.used % n], dim=-1)
        return index * self.voxel - 1

    def _neighbors(self) -> Int[Tensor, "m 6"]:
        """The rows of the six corners next to each one; its own row where one is not in use."""
        n, own = self.resolution + 1, torch.arange(len(self.used), device=self.used.device)
        rows = torch.full((n**3,), -1, device=own.device)
        rows[self.used] = own
        rows = F.pad(rows.view(n, n, n), (1,) * 6, value=-1)  # (n³,) → (n + 2, n + 2, n + 2)
        i, j, k = self.used // (n * n) + 1, self.used // n % n + 1, self.used % n + 1
        around = [rows[i - 1, j, k], rows[i + 1, j, k], rows[i, j - 1, k]]
        around += [rows[i, j + 1, k], rows[i, j, k - 1], rows[i, j, k + 1]]
        beside = torch.stack(around, dim=-1)  # (m, 6)
        return torch.where(beside < 0, own[:, None], beside)

    @torch.no_grad()
    def smooth(self, share: float) -> None:
        """Move every corner's features by a share of the way to the mean of its neighbours'."""
        for table in self.tables:
            table.lerp_(F.embedding_bag(self.neighbors, table, mode="mean"), share)

    @torch.no_grad()
    def copy_from(self, other: "SparseGrid") -> None:
        """Start from another grid's features."""
        where = other.locate(self.corner_positions())
        for kind, table in enumerate(self.tables):
            table.copy_(other.read(kind, *where))

    def locate(self, unit: Float[Tensor, "m 3"]) -> tuple[Int[Tensor, "m 8"], Float[Tensor, "m 8"]]:
        """For points of [-1, 1]³ the rows of the 8 corners of their cells, and trilinear weights."""
        n = self.resolution + 1
        x = (unit + 1) * (self.resolution / 2)
        low = x.detach().floor().clamp(0, self.resolution - 1)
        f, low = x - low, low.int()
        index = self.row[((low[:, :1] * n + low[:, 1:2]) * n + low[:, 2:]) + self.corner]  # (m, 8)
        return index, corner_weights(f)

    def read(
        self, kind: int, index: Int[Tensor, "m 8"], w: Float[Tensor, "m 8"]
    ) -> Float[Tensor, "m c"]:
        """Features of a kind at points that were located."""
        return Interpolate.apply(self.tables[kind], index, w)


class Interpolate(torch.autograd.Function):
    """y = A table, with the 8 weights of each row of A: its gradient is Aᵀ g, one sparse product.

    Autograd's scatter is what makes such grids slow on the CPU; there scipy multiplies instead.
    """

    @staticmethod
    def forward(
        ctx, table: Float[Tensor, "k c"], index: Int[Tensor, "m 8"], w: Float[Tensor, "m 8"]
    ) -> Float[Tensor, "m c"]:
        """Weighted sums of 8 rows each."""
        ctx.save_for_backward(index, w)
        ctx.rows = len(table)
        return F.embedding_bag(index, table, per_sample_weights=w, mode="sum")

    @staticmethod
    def backward(ctx, g: Float[Tensor, "m c"]) -> tuple[Float[Tensor, "k c"], None, None]:
        """Aᵀ g."""
        index, w = ctx.saved_tensors
        return transposed_product(index, w, g.contiguous(), ctx.rows), None, None


def transposed_product(
    index: Int[Tensor, "m 8"], w: Float[Tensor, "m 8"], g: Float[Tensor, "m c"], rows: int
) -> Float[Tensor, "k c"]:
    """Row index[i, j] of the result collects w[i, j] g[i]."""
    if g.device.type != "cpu":
        out = g.new_zeros(rows, g.shape[1])
        contribution = (w[:, :, None] * g[:, None]).flatten(0, 1)
        return out.index_add_(0, index.reshape(-1), contribution)
    from scipy.sparse import csc_matrix

    m = len(index)
    ends = torch.arange(0, 8 * m + 1, 8, dtype=torch.int32).numpy()
    matrix = csc_matrix((w.numpy().ravel(), index.numpy().ravel(), ends), shape=(rows, m))
    return torch.from_numpy(matrix @ g.numpy())


def resample(cells: Bool[Tensor, "r r r"], resolution: int) -> Bool[Tensor, "n n n"]:
    """Cells of another resolution that touch an occupied cell or one of its neighbours."""
    wide = F.max_pool3d(cells[None, None].float(), 3, 1, 1)
    if resolution <= cells.shape[0]:
        return F.adaptive_max_pool3d(wide, resolution)[0, 0] > 0
    # nearest alone would lose cells that straddle two of the coarse ones; the dilation covers them
    return F.interpolate(wide, size=(resolution,) * 3, mode="nearest")[0, 0] > 0


def trilinear(
    corners: Float[Tensor, "n 2 2 2 c"], fraction: Float[Tensor, "n 3"]
) -> Float[Tensor, "n c"]:
    """v = Σᵢⱼₖ wᵢ(x) wⱼ(y) wₖ(z) vᵢⱼₖ: what a cell holds between its 8 corners, for n points.

    w₀(x) = 1 - x and w₁(x) = x. corners: [:, i, j, k] belongs to the corner whose x, y and z are the
    lower (0) or the upper (1) ones of the cell; fraction: where in its cell the point is, (x, y, z) in
    [0, 1] from the lower to the upper corner. (A grid reads its tables by `SparseGrid.read`, the same
    sum as one sparse product.)

    >>> corners = torch.arange(8.0).view(1, 2, 2, 2, 1)  # 4i + 2j + k
    >>> trilinear(corners, torch.tensor([[0.5, 0.0, 1.0]]))
    tensor([[3.]])
    """
    x, y, z = torch.stack([1 - fraction, fraction], dim=1).unbind(-1)  # (n, 2) each: w₀ and w₁
    return torch.einsum("ni,nj,nk,nijkc->nc", x, y, z, corners)


def corner_weights(fraction: Float[Tensor, "n 3"]) -> Float[Tensor, "n 8"]:
    """The weights of `trilinear`, in the order of `CORNERS`."""
    w = torch.stack([1 - fraction, fraction], dim=1)  # (n, 2, 3)
    w = w[:, :, None, None, 0] * w[:, None, :, None, 1] * w[:, None, None, :, 2]  # (n, 2, 2, 2)
    return w.reshape(-1, 8)  # (n, 8)


def sh_color(
    harmonics: Float[Tensor, "n k c"], directions: Float[Tensor, "n 3"]
) -> Float[Tensor, "n c"]:
    """Σₖ hₖ Yₖ(d): a function of the direction, from its k = 1, 4 or 9 coefficients for each channel.

    Y are the real spherical harmonics of degree 0, 1 and 2 with the signs of Plenoxels; (x, y, z) = d of
    length 1: Y₀ = √(1/4π), Y₁ = -√(3/4π) y, Y₂ = √(3/4π) z, Y₃ = -√(3/4π) x, then with √(15/4π):
    Y₄ = xy, Y₅ = -yz, Y₆ = (3z² - 1)/√12, Y₇ = -xz, Y₈ = (x² - y²)/2.

    >>> sh_color(torch.ones(1, 4, 1), torch.tensor([[0.0, 0.0, 1.0]]))  # √(1/4π) + √(3/4π)
    tensor([[0.7707]])
    """
    x, y, z = directions.unbind(-1)  # (n,) each
    zero, one, two = (math.sqrt(number / (4 * math.pi)) for number in (1, 3, 15))
    basis = [torch.full_like(x, zero), -one * y, one * z, -one * x]
    basis += [two * x * y, -two * y * z, two * (3 * z * z - 1) / math.sqrt(12)]
    basis += [-two * x * z, two * (x * x - y * y) / 2]
    known = torch.stack(basis[: harmonics.shape[1]], dim=-1)  # (n, k)
    return (known[:, :, None] * harmonics).sum(1)  # (n, k, c) → (n, c)
