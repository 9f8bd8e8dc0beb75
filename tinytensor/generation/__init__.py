"""Sequences from models: drawn from language models, and searched, greedily and by beams."""

from .sampling import draw, generate
from .search import Hypothesis, beam_search, greedy, penalty_of_length, sample

__all__ = [
    "Hypothesis",
    "beam_search",
    "draw",
    "generate",
    "greedy",
    "penalty_of_length",
    "sample",
]
