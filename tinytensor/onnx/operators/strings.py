"""Texts: arrays of strings, which are NumPy's, and images in files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from ..registry import operator
from ..values import array, value

__all__: list[str] = []


def _texts(values: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    found = np.empty(len(values), object)
    found[:] = values
    return found.reshape(shape)


def _text(item: Any) -> str:
    return item.decode("utf-8") if isinstance(item, bytes) else str(item)


def _each(x: Any) -> list[str]:
    return [_text(item) for item in array(x).reshape(-1)]


@operator("StringConcat", since=20)
def concat(x: Any, y: Any) -> Any:
    both = np.broadcast_arrays(array(x), array(y))
    joined = [a + b for a, b in zip(*map(_each, both), strict=True)]
    return _texts(joined, both[0].shape)


@operator("StringSplit", since=20)
def split(x: Any, *, delimiter: str = "", maxsplit: int = -1) -> tuple[Any, Any]:
    parts = [text.split(delimiter or None, maxsplit) for text in _each(x)]
    most = max(map(len, parts), default=0)
    padded = [part for each in parts for part in (*each, *("",) * (most - len(each)))]
    counts = np.array([len(each) for each in parts], np.int64).reshape(array(x).shape)
    return _texts(padded, (*array(x).shape, most)), value(counts)


@operator("RegexFullMatch", since=20)
def full_match(x: Any, *, pattern: str) -> Any:
    matches = [re.fullmatch(pattern, text) is not None for text in _each(x)]
    return value(np.array(matches, bool).reshape(array(x).shape))


CASES: dict[str, Callable[[str], str]] = {"NONE": str, "LOWER": str.lower, "UPPER": str.upper}


@operator("StringNormalizer", since=10)
def normalizer(
    x: Any,
    *,
    case_change_action: str = "NONE",
    is_case_sensitive: int = 0,
    locale: str = "",
    stopwords: Sequence[str] = (),
) -> Any:
    same = str if is_case_sensitive else str.lower
    stop = {same(word) for word in stopwords}
    change = CASES.get(case_change_action)
    if change is None:
        raise ValueError(f"case_change_action is one of {', '.join(CASES)}: {case_change_action!r}")
    kept = [change(text) for text in _each(x) if same(text) not in stop] or [""]
    return _texts(kept, (*array(x).shape[:-1], len(kept)))


@operator("TfIdfVectorizer", since=9)
def tf_idf(
    x: Any,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: Sequence[int],
    ngram_indexes: Sequence[int],
    pool_int64s: Sequence[int] = (),
    pool_strings: Sequence[str] = (),
    weights: Sequence[float] | None = None,
) -> Any:
    if mode not in ("TF", "IDF", "TFIDF"):
        raise ValueError(f"TfIdfVectorizer: mode is TF, IDF or TFIDF, not {mode!r}")
    pool: Sequence[Any] = pool_strings or pool_int64s
    known: dict[tuple[Any, ...], int] = {}
    for n, start in enumerate(ngram_counts, 1):
        end = ngram_counts[n] if n < len(ngram_counts) else len(pool)
        for at in range(start, end, n):
            known[tuple(pool[at : at + n])] = len(known)
    data = array(x)
    rows = np.atleast_2d(data.astype(object) if data.dtype.kind in "OUS" else data).tolist()
    found = np.zeros((len(rows), max(ngram_indexes) + 1), np.float32)
    for row, items in zip(found, rows, strict=True):
        counts: Counter[int] = Counter()
        for n in range(min_gram_length, max_gram_length + 1):
            # A gram of one item is the same for any number of skipped ones.
            for apart in range(1, 2 + (max_skip_count if n > 1 else 0)):
                for at in range(len(items) - apart * (n - 1)):
                    gram = tuple(items[at : at + apart * (n - 1) + 1 : apart])
                    if gram in known:
                        counts[known[gram]] += 1
        for gram_number, times in counts.items():
            weight = 1.0 if weights is None or mode == "TF" else weights[gram_number]
            row[ngram_indexes[gram_number]] = (1 if mode == "IDF" else times) * weight
    return value(found if data.ndim == 2 else found[0])


@operator("ImageDecoder", since=20)
def image_decoder(data: Any, *, pixel_format: str = "RGB") -> Any:
    from PIL import Image

    modes = {"RGB": "RGB", "BGR": "RGB", "Grayscale": "L"}
    if pixel_format not in modes:
        raise ValueError(f"ImageDecoder: pixel_format is one of {', '.join(modes)}: {pixel_format}")
    with Image.open(BytesIO(array(data).tobytes())) as image:
        pixels = np.asarray(image.convert(modes[pixel_format]))
    if pixel_format == "Grayscale":
        pixels = pixels[..., np.newaxis]
    return value(np.ascontiguousarray(pixels[..., ::-1] if pixel_format == "BGR" else pixels))
