"""Files: tensors in safetensors, those of PyTorch and NumPy, atomic writing, and pickles that run
nothing."""

from .loading import load
from .tensors import save

__all__ = ["load", "save"]
