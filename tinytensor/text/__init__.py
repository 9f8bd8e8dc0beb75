"""Text: vocabularies, tokenisers, batches of sequences, readers of corpora, and metrics."""

import typing as _typing

from ..data.text import RandomWindows, Windows, stdlib_sources, stdlib_text
from ..ops.ways import tells as _tells
from .batches import Collate, LengthBuckets, padded
from .catalogues import Catalogue, Message, catalogues, read_catalogue
from .dialogues import Dialogue, read_dialogues, replies
from .encoded import Encoded
from .lines import read_json_lines, read_lines, read_pairs
from .metrics import (
    Score,
    bits_per_character,
    bleu,
    character_error_rate,
    chrf,
    edit_distance,
    normalised_edit_distance,
    perplexity,
    word_error_rate,
)
from .subwords import Subwords
from .tokenisers import Bytes, Characters, Tokeniser, Words
from .vocabulary import Vocabulary

__all__ = [
    "Bytes",
    "Catalogue",
    "Characters",
    "Collate",
    "Dialogue",
    "Encoded",
    "LengthBuckets",
    "Message",
    "RandomWindows",
    "Score",
    "Subwords",
    "Tokeniser",
    "Vocabulary",
    "Windows",
    "Words",
    "bits_per_character",
    "bleu",
    "catalogues",
    "character_error_rate",
    "chrf",
    "edit_distance",
    "normalised_edit_distance",
    "padded",
    "perplexity",
    "read_catalogue",
    "read_dialogues",
    "read_json_lines",
    "read_lines",
    "read_pairs",
    "replies",
    "stdlib_sources",
    "stdlib_text",
    "word_error_rate",
]

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
