"""In a kernel started with IPYTHONDIR=tests/pretended there is a pretended CUDA device."""

from pretended.gpu import pretended_gpu

_device = pretended_gpu()
_device.__enter__()
