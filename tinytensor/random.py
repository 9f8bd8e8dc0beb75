"""Random numbers: generators, the default one and its seed, and arrays drawn from them.

A generator is NumPy's (``numpy.random.Generator``, here on Philox), so draws are safe from several
threads, and what is drawn does not depend on how many threads the kernels use. All Python threads
share the default generator. Which of them draws what is then a matter of chance, so a thread that
must repeat its draws takes a generator of its own, or works inside a `Stream`, in which the default
generator is another one.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .dtypes import get_default_dtype

__all__ = ["get_rng_state", "manual_seed", "set_rng_state"]

Shape = int | tuple[int, ...]

_lock = threading.Lock()
_made: dict[str, Any] = {}  # what is made once, whichever threads ask for it first

# What a draw is within each of the vmaps that run: an "error", "same" in all lanes, or "different".
in_lanes: ContextVar[tuple[str, ...]] = ContextVar("in_lanes", default=())

_stream: ContextVar[Stream | None] = ContextVar("stream", default=None)


def generator(seed: int | None = None) -> np.random.Generator:
    """A new generator; without a seed, seeded by the system."""
    made = _generators()()
    return made if seed is None else made.manual_seed(seed)


@cache
def _generators() -> Any:
    """The class of generators: NumPy's, with PyTorch's methods. (numpy.random loads late.)"""

    class Generator(np.random.Generator):
        """A source of random numbers, for ``generator=``: NumPy's, with PyTorch's methods.

        >>> import tinytensor as tt
        >>> g = tt.Generator().manual_seed(0)
        >>> tt.rand(2, generator=g).tolist() == tt.rand(2, generator=g.manual_seed(0)).tolist()
        True
        """

        device = "cpu"

        def __init__(self, device: str = "cpu") -> None:
            if device != "cpu":
                raise ValueError(f"Generator: there is only the device 'cpu', not {device!r}")
            super().__init__(np.random.Philox())

        def manual_seed(self, seed: int) -> Generator:
            """Begin anew from ``seed``."""
            self.bit_generator.state = np.random.Philox(seed).state
            return self

        def seed(self) -> int:
            """Begin anew from a seed of the system's, which is returned."""
            seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
            self.manual_seed(seed)
            return seed

        def get_state(self) -> dict[str, Any]:
            """The state, for ``set_state``."""
            return dict(self.bit_generator.state)

        def set_state(self, state: dict[str, Any]) -> None:
            """Go on from a state that ``get_state`` gave."""
            self.bit_generator.state = state

    Generator.__module__, Generator.__qualname__ = __name__, "Generator"
    return _made.setdefault("class", Generator)


if TYPE_CHECKING:
    Generator: Any
else:

    def __getattr__(name):
        if name == "Generator":
            return _generators()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _shared() -> np.random.Generator:
    """The default generator outside streams. Made at the first: numpy.random loads late."""
    return _made.setdefault("generator", generator())


def default_generator() -> np.random.Generator:
    """The generator of all draws that name no other: a stream's, inside one."""
    stream = _stream.get()
    return _shared() if stream is None else stream.generator


class Stream:
    """Inside ``with``, draws that name no generator depend on two 64-bit numbers alone.

    The numbers are the key of a counter-based generator, so streams of different numbers are
    independent, and none need be drawn before another. What has a seed of its own, such as a
    transform, takes ``of_seed``: a generator for this stream and that seed.

    >>> import tinytensor as tt
    >>> with Stream(3, 0):
    ...     a = tt.rand(2)
    >>> with Stream(3, 0):
    ...     b = tt.rand(2)
    >>> a.tolist() == b.tolist()
    True
    """

    def __init__(self, key: int, number: int) -> None:
        self._key = (key, number)
        self._made: dict[int, np.random.Generator] = {}
        self._before: Any = None

    @property
    def generator(self) -> np.random.Generator:
        return self.of_seed(0)

    def of_seed(self, seed: int) -> np.random.Generator:
        """A generator of these numbers and ``seed`` (64 bits), the same one at each call."""
        if seed not in self._made:
            counter = np.array([0, 0, 0, seed], np.uint64)  # the seed starts far from the others
            key = np.array(self._key, np.uint64)
            self._made[seed] = np.random.Generator(np.random.Philox(key=key, counter=counter))
        return self._made[seed]

    def __enter__(self) -> Stream:
        self._before = _stream.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        _stream.reset(self._before)


class Source:
    """What something that is made once draws from, again and again: ``source()``.

    Without a generator that is the default one. A seed, or a generator, is this source's own; in a
    stream it is what the stream has for that seed, so that draws depend on the stream alone and not
    on what was drawn elsewhere before.
    """

    def __init__(self, generator: np.random.Generator | int | None) -> None:
        self._own = None if generator is None else seeded(generator)
        self._seed = 0
        if self._own is not None:
            from zlib import crc32  # late: a bare import of the package needs none of it

            self._seed = 1 + crc32(repr(self._own.bit_generator.state).encode())

    def __call__(self) -> np.random.Generator:
        stream = _stream.get()
        if self._own is None or stream is None:
            return resolve(self._own)
        return stream.of_seed(self._seed)


def manual_seed(seed: int) -> np.random.Generator:
    """Seed the default generator and return it: the same seed gives the same run.

    >>> import tinytensor as tt
    >>> a = tt.manual_seed(0).random(3)
    >>> b = tt.manual_seed(0).random(3)
    >>> (a == b).all().item()
    True
    """
    with _lock:
        default_generator().bit_generator.state = np.random.Philox(seed).state
    return default_generator()


def resolve(generator: np.random.Generator | None = None) -> np.random.Generator:
    """``generator`` itself, or the default one for None. Every draw comes by here."""
    how = in_lanes.get()
    if "error" in how:
        raise RuntimeError(
            'a random draw within vmap: randomness="same" makes it once for all lanes, "different"'
            " for each"
        )
    if "different" in how:
        raise RuntimeError(
            'a random draw within vmap(randomness="different"), of what has no lanes: draw before,'
            " for all lanes, and pass the numbers as an argument"
        )
    if generator is None:
        return default_generator()
    if not isinstance(generator, np.random.Generator):
        raise TypeError(
            f"generator: needs a numpy.random.Generator, not {type(generator).__name__}"
        )
    return generator


def seeded(generator: np.random.Generator | int | None = None) -> np.random.Generator:
    """A new generator of a seed; for all else as `resolve`."""
    if isinstance(generator, int | np.integer):
        return np.random.Generator(np.random.Philox(int(generator)))
    return resolve(generator)


def get_rng_state() -> dict:
    """The state of the default generator, for ``set_rng_state``."""
    return dict(default_generator().bit_generator.state)


def set_rng_state(state: dict) -> None:
    """Put the default generator back to a state that ``get_rng_state`` gave."""
    with _lock:
        default_generator().bit_generator.state = state


def draw_key(generator: np.random.Generator | None = None) -> int:
    """64 random bits: the key of one stream of a counter-based kernel."""
    return int(resolve(generator).integers(0, 2**64 - 1, dtype=np.uint64, endpoint=True))


# --- Arrays ----------------------------------------------------------------------------------


def rand(
    shape: Shape, dtype: npt.DTypeLike | None = None, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Uniform numbers from [0, 1); of complex ones both parts."""
    return np.asarray(_drawn(resolve(generator).random, shape, dtype))


def randn(
    shape: Shape, dtype: npt.DTypeLike | None = None, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Normal numbers of mean 0 and variance 1; of complex ones each part has the variance ½."""
    x = np.asarray(_drawn(resolve(generator).standard_normal, shape, dtype))
    return np.asarray(x / x.real.dtype.type(np.sqrt(2))) if x.dtype.kind == "c" else x


def _drawn(draw: Any, shape: Shape, as_dtype: npt.DTypeLike | None) -> Any:
    """Draws in a dtype, by default the default one; of 16 bits, as float32 first."""
    dtype = get_default_dtype() if as_dtype is None else np.dtype(as_dtype)
    if dtype.kind == "c":  # both parts, one behind the other in memory
        sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        parts = draw((*sizes, 2), np.float32 if dtype.itemsize == 8 else np.float64)
        return parts.view(dtype)[..., 0]
    return draw(shape, np.float32).astype(dtype) if dtype.itemsize == 2 else draw(shape, dtype)


def randint(
    low: int,
    high: int,
    shape: Shape,
    dtype: npt.DTypeLike = np.int64,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Integers from [low, high)."""
    return np.asarray(resolve(generator).integers(low, high, shape, np.dtype(dtype)))


def randperm(n: int, generator: np.random.Generator | None = None) -> np.ndarray:
    """The integers below n in random order."""
    return resolve(generator).permutation(n)
