"""Text by characters: a vocabulary, windows of it in batches, and a corpus that is always there.

The corpus is the Python sources of the running interpreter's own standard library.
"""

from __future__ import annotations

import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import DtypeError, ShapeError
from ..random import seeded
from ..tensors.tensor import Tensor
from .dataset import Dataset
from .samplers import check_count

UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Vocabulary:
    """Numbers for characters. Number 0 is the unknown character, which stands for all others.

    `tinytensor.text.Vocabulary` is of tokens of any kind.

    >>> vocabulary = Vocabulary("abc")
    >>> vocabulary.encode("cab?")
    array([3, 1, 2, 0], dtype=uint8)
    >>> vocabulary.decode([3, 1, 2])
    'cab'
    """

    def __init__(self, characters: str) -> None:
        if len(set(characters)) < len(characters):
            raise ValueError("Vocabulary: a character occurs twice")
        self.characters = UNKNOWN + characters.replace(UNKNOWN, "")
        dtype = np.min_scalar_type(len(self.characters))
        self._numbers = np.zeros(0x110000, dtype)  # by code point
        self._numbers[[ord(c) for c in self.characters]] = range(len(self.characters))

    @classmethod
    def of(cls, text: str, size: int = 96) -> Vocabulary:
        """The ``size`` − 1 most frequent characters of ``text``, and the unknown one."""
        check_count("Vocabulary.of", "size", size, least=2)
        counts = Counter(text)
        counts.pop(UNKNOWN, None)
        by_frequency = sorted(counts, key=lambda c: (-counts[c], c))
        return cls("".join(sorted(by_frequency[: size - 1])))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """The numbers of the characters of ``text``: (length,), the smallest unsigned dtype."""
        return self._numbers[np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)]

    def decode(self, numbers: Sequence[int] | np.ndarray) -> str:
        """The text of the numbers. Raises IndexError for a number outside the vocabulary."""
        found = np.asarray(numbers).ravel().tolist()
        if found and not 0 <= min(found) <= max(found) < len(self):
            raise IndexError(
                f"Vocabulary.decode: numbers are from {min(found)} to {max(found)}, not below"
                f" {len(self)}"
            )
        return "".join(self.characters[i] for i in found)


class Windows(Dataset):
    """Windows of ``length`` characters, ``stride`` apart; the target is the window 1 to the right.

    ``codes`` (M,) → samples (x, y), each (length,), int64. The default stride is ``length``: each
    character is then a target once.

    >>> x, y = Windows(np.arange(9), length=4)[1]
    >>> x, y
    (tensor([4, 5, 6, 7]), tensor([5, 6, 7, 8]))
    """

    def __init__(self, codes: np.ndarray, length: int, stride: int | None = None) -> None:
        codes = np.asarray(codes)
        stride = length if stride is None else stride
        for name, value in (("length", length), ("stride", stride)):
            check_count("Windows", name, value)
        self.codes, self.length, self.stride = codes, length, stride
        if codes.dtype.kind not in "iu":
            raise DtypeError(f"Windows: codes must be integers, not {codes.dtype}")
        if codes.ndim != 1 or len(codes) <= length:
            raise ShapeError(
                f"Windows: codes must be (M,) with M above the length {length}, not {codes.shape}"
            )

    def __len__(self) -> int:
        return (len(self.codes) - 1 - self.length) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"Windows: index {index} of {len(self)} windows")
        x, y = self.batch([index % len(self)])
        return Tensor(x.numpy()[0]), Tensor(y.numpy()[0])

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        starts = np.asarray(indices, np.int64)[:, None] * self.stride
        windows = self.codes[starts + np.arange(self.length + 1)].astype(np.int64)
        return Tensor(windows[:, :-1]), Tensor(windows[:, 1:])


class RandomWindows:
    """``steps`` batches of windows from random places of ``codes``, new ones in each iteration.

    A batch is (x, y), each (batch_size, length), int64, as in `Windows`.
    """

    def __init__(
        self,
        codes: np.ndarray,
        length: int,
        batch_size: int,
        steps: int,
        generator: np.random.Generator | int | None = None,
    ) -> None:
        self.windows = Windows(codes, length, stride=1)
        check_count("RandomWindows", "batch_size", batch_size)
        check_count("RandomWindows", "steps", steps, least=0)
        self.batch_size, self.steps = batch_size, steps
        self.generator = seeded(generator)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.steps):
            yield self.windows.batch(
                self.generator.integers(len(self.windows), size=self.batch_size)
            )


def stdlib_sources() -> list[Path]:
    """The Python sources of the standard library that runs, sorted, without its tests.

    Raises FileNotFoundError where the interpreter has no sources.
    """
    root = Path(sysconfig.get_path("stdlib"))
    left_out = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
    found = [
        path for path in root.rglob("*.py") if left_out.isdisjoint(path.relative_to(root).parts)
    ]
    if not found:
        raise FileNotFoundError(f"stdlib_sources: there are no Python sources in {root}")
    return sorted(found)


def stdlib_text(held_out: int = 10) -> tuple[str, str]:
    """The standard library's sources as two texts: to train on, and held out.

    Split by file: every ``held_out``-th file (in sorted order) is held out.
    """
    check_count("stdlib_text", "held_out", held_out, least=2)
    parts: tuple[list[str], list[str]] = ([], [])
    for i, path in enumerate(stdlib_sources(), start=1):
        parts[i % held_out == 0].append(path.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(parts[0]), "\n".join(parts[1])
