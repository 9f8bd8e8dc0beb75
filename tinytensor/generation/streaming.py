"""Text of tokens as they come: held back while it is incomplete, or may become a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["TextStream"]

UNFINISHED = "\ufffd"  # what decoders write for bytes that are no character yet
PATIENCE = 8  # tokens that may stay unfinished: no character has more bytes than four


class TextStream:
    """The text of tokens that are pushed one by one, up to the first of the ``stops``.

    ``push`` and ``finish`` return what may be shown. A tokeniser may write a token otherwise at the
    beginning than behind others; ``before`` are the tokens in front, of which a few are looked at.

    >>> class Letters:
    ...     def decode(self, tokens):
    ...         return bytes(tokens).decode(errors="replace")
    >>> stream = TextStream(Letters(), stops=["END"])
    >>> [stream.push(token) for token in "hé EN".encode()]
    ['h', '', 'é', ' ', '', '']
    >>> stream.push(ord("D")), stream.stopped
    ('', True)
    """

    def __init__(
        self, tokeniser: Any, before: Sequence[int] = (), stops: Sequence[str] = ()
    ) -> None:
        self.decode, self.stops = tokeniser.decode, [stop for stop in stops if stop]
        self.tokens = [int(token) for token in before[-PATIENCE:]]
        self.shown = self.decode(self.tokens) if self.tokens else ""  # the text of ``tokens``
        self.pending: list[int] = []  # whose text is not complete
        self.held = ""  # complete, but perhaps the beginning of a stop string
        self.stopped = False

    def push(self, token: int) -> str:
        """One more token; the text that is certain now."""
        if self.stopped:
            return ""
        self.pending.append(token)
        text = self.decode([*self.tokens, *self.pending])
        if text.endswith(UNFINISHED) and len(self.pending) < PATIENCE:
            return ""
        new = text[len(self.shown) :]
        self.tokens, self.pending = self.pending, []
        self.shown = self.decode(self.tokens)
        return self._released(new)

    def finish(self) -> str:
        """What was held back, once there are no more tokens."""
        if self.stopped:
            return ""
        rest = self._released(
            self.decode([*self.tokens, *self.pending])[len(self.shown) :] if self.pending else ""
        )
        if not self.stopped:
            rest += self.held
        self.stopped, self.held, self.pending = True, "", []
        return rest

    def _released(self, new: str) -> str:
        text = self.held + new
        found = [place for stop in self.stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self.held = True, ""
            return text[: min(found)]
        keep = max(
            (
                n
                for stop in self.stops
                for n in range(1, min(len(stop), len(text) + 1))
                if text.endswith(stop[:n])
            ),
            default=0,
        )
        self.held = text[len(text) - keep :]
        return text[: len(text) - keep]
