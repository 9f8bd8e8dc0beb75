"""Sequences from models: drawn from language models, searched greedily and by beams, and read from
outputs that CTC trained."""

from .ctc import Labelling, ctc_beam_search, ctc_greedy
from .sampling import draw, generate
from .search import Hypothesis, beam_search, greedy, penalty_of_length, sample

__all__ = [
    "Hypothesis",
    "Labelling",
    "beam_search",
    "ctc_beam_search",
    "ctc_greedy",
    "draw",
    "generate",
    "greedy",
    "penalty_of_length",
    "sample",
]
