"""What the engine's few words of Cython mean where it runs interpreted."""

import typing
from threading import RLock

cast: typing.Any = typing.cast
_section = RLock()


# One thread at a time: compiled, that is what the GIL sees to, or locks of the objects.
def critical_section(*objects: object) -> typing.Any: return _section  # fmt: skip
