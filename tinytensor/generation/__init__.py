"""Text from language models: tokens drawn one after the other."""

from .sampling import draw, generate

__all__ = ["draw", "generate"]
