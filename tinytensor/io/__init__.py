"""Files: tensors in safetensors, atomic writing, and pickles that run nothing."""

from .tensors import load, save

__all__ = ["load", "save"]
