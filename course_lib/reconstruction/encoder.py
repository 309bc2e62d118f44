"""The image encoder that all four decoders share: a picture becomes one code and three maps."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

CODE = 128  # numbers in the code
CHANNELS = (32, 64, 128, 128)  # of the maps at 1/2, 1/4, 1/8 and 1/16 of the picture's size


class Features(NamedTuple):
    """What a decoder may use of the picture.

    `code` says what the whole picture shows; the `maps` say what is seen where, from fine to coarse
    (only the mesh decoder looks at them).
    """

    code: Float[Tensor, "b code"]
    maps: tuple[Float[Tensor, "b c h w"], ...]

    def of(self, index: int) -> "Features":
        """The features of one picture of the batch, as a batch of one."""
        one = slice(index, index + 1)
        return Features(self.code[one], tuple(m[one] for m in self.maps))


class ImageEncoder(nn.Module):
    """Four convolutions that halve the picture, 64 → 32 → 16 → 8 → 4, then one linear layer.

    Images (b, 3, 64, 64) in [0, 1]. Batch normalisation after every layer makes the training fast
    enough to watch.
    """

    def __init__(self):
        super().__init__()
        ends = (3, *CHANNELS)
        self.stages = nn.ModuleList(
            halve(ends[i], ends[i + 1], 5 if i == 0 else 3) for i in range(len(CHANNELS))
        )
        self.to_code = nn.Sequential(
            nn.Flatten(), nn.Linear(CHANNELS[-1] * 4 * 4, CODE), nn.BatchNorm1d(CODE), nn.ReLU()
        )

    def forward(self, image: Float[Tensor, "b 3 64 64"]) -> Features:
        maps, x = [], image - 0.5
        for stage in self.stages:
            x = stage(x)  # (b, c, h/2, w/2)
            maps.append(x)
        return Features(self.to_code(x), tuple(maps[:3]))


class FromImage(nn.Module):
    """A whole network: the encoder, then a decoder, which may take more arguments."""

    def __init__(self, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = ImageEncoder(), decoder

    def forward(self, image: Float[Tensor, "b 3 64 64"], *arguments: Tensor):
        return self.decoder(self.encoder(image), *arguments)


def halve(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Convolution with stride 2, normalisation, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
