"""Models of text."""

from .char_rnn import CharRNN
from .gpt import GPT, GPTConfig

__all__ = ["GPT", "CharRNN", "GPTConfig"]
