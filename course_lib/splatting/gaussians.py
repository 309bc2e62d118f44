"""Anisotropic Gaussians with colour: what a scene consists of (Kerbl et al. 2023, section 4)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.cameras import quaternion_to_matrix
from course_lib.nerf.grid import sh_color


class Gaussians(NamedTuple):
    """n Gaussians, as unbounded numbers that an optimizer may change freely.

    means: centres in the world; log_scales: logarithms of the standard deviations along the own axes,
    in units of the world; quaternions: (w, x, y, z), of any length but 0; opacity_logits: opacity =
    sigmoid; harmonics: k = 1, 4 or 9 coefficients for each channel, colour = ½ + Σ harmonics · Y(d).
    """

    means: Float[Tensor, "n 3"]
    log_scales: Float[Tensor, "n 3"]
    quaternions: Float[Tensor, "n 4"]
    opacity_logits: Float[Tensor, "n"]
    harmonics: Float[Tensor, "n k 3"]

    @property
    def covariances(self) -> Float[Tensor, "n 3 3"]:
        """Σ in the world's axes."""
        return covariance(self.log_scales.exp(), self.quaternions)

    @property
    def opacities(self) -> Float[Tensor, "n"]:
        """In (0, 1): what a Gaussian covers at its centre."""
        return torch.sigmoid(self.opacity_logits)

    def colors(self, eye: Float[Tensor, "3"]) -> Float[Tensor, "n 3"]:
        """What each Gaussian shows to a camera at `eye`, at least 0."""
        directions = torch.nn.functional.normalize(self.means - eye, dim=-1)
        return (sh_color(self.harmonics, directions) + 0.5).clamp(min=0)


def covariance(
    scales: Float[Tensor, "*n 3"], quaternions: Float[Tensor, "*n 4"]
) -> Float[Tensor, "*n 3 3"]:
    """Σ = R S Sᵀ Rᵀ: a Gaussian with standard deviations `scales` along its axes, turned by R.

    R is the rotation matrix of the quaternion (w, x, y, z), which is normalised first; S = diag(scales).
    So Σ is symmetric and never negative, whatever the numbers are (Kerbl et al. 2023, eq. 6).
    Differentiable in both.

    >>> covariance(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.0, 0.0, 0.0])).diagonal()
    tensor([1., 4., 9.])
    """
    axes = quaternion_to_matrix(quaternions) * scales[..., None, :]  # R S: columns are scaled
    return axes @ axes.transpose(-1, -2)
