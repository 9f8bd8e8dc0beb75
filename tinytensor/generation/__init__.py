"""Sequences from models: drawn from language models, searched greedily and by beams, and read from
outputs that CTC trained."""

from .cache import KVCache
from .causal import Causal
from .ctc import Labelling, ctc_beam_search, ctc_greedy
from .sampling import draw
from .search import Hypothesis, beam_search, greedy, penalty_of_length, sample
from .streaming import TextStream

__all__ = [
    "Causal",
    "Hypothesis",
    "KVCache",
    "Labelling",
    "TextStream",
    "beam_search",
    "ctc_beam_search",
    "ctc_greedy",
    "draw",
    "greedy",
    "penalty_of_length",
    "sample",
]
