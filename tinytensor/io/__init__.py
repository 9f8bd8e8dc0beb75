"""Files: tensors in safetensors."""

from .tensors import load, save

__all__ = ["load", "save"]
