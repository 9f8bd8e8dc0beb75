"""What registering a hook returns, of a tensor or of a module."""

from __future__ import annotations

from collections.abc import Callable


class RemovableHandle:
    """``remove()`` takes the hook away. Also a context, and callable as ``remove`` itself."""

    def __init__(self, remove: Callable[[], object]) -> None:
        self._remove = remove

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._remove()

    __call__ = remove

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self._remove()
