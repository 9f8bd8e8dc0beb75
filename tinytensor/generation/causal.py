"""Causal: what decoder-only models inherit, to continue tokens by ``generate``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ..engine.grad_mode import no_grad
from ..errors import ShapeError
from ..nn.evaluating import in_mode
from ..ops.checks import integers, whole
from ..random import default_generator
from ..tensors.tensor import Tensor
from .cache import KVCache
from .rules import Past, Rules
from .search import beams_of
from .speculative import drafted
from .streaming import TextStream
from .token_steps import TokenSteps

__all__ = ["Causal"]

Stop = int | str | Sequence[int | str]
Generators = np.random.Generator | int | Sequence[np.random.Generator | int] | None


class Causal:
    """A mixin for modules that give the logits of each next token.

    A subclass has ``features(tokens, cache=None, lengths=None)``, of tokens (B, T) to (B, T, C);
    ``head`` of features to logits (B, T, V); and ``new_cache(batch, capacity=None)``. With a cache
    the tokens continue those that it holds, and of row i only the first ``lengths[i]`` count.
    """

    config: Any
    tokenizer: Any  # of the files; a model that was made here need not have one
    context: int | None = None  # the most tokens that the model takes, if there is a limit
    features: Callable[..., Tensor]
    head: Callable[[Tensor], Tensor]
    new_cache: Callable[..., Any]

    def decoder_step(self, cache: KVCache) -> Callable[[np.ndarray], np.ndarray] | None:
        """A function of one more token for each row, int64 (B,), to logits (B, V), which advances
        the cache; None if there is no faster one than ``features`` and ``head``."""
        return TokenSteps.of(self, cache)

    def generate(
        self,
        tokens: Any,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        typical_p: float | None = None,
        repetition_penalty: float = 1.0,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
        no_repeat_ngram: int = 0,
        min_new_tokens: int = 0,
        suppress: Sequence[int] = (),
        stop: Stop | None = None,
        lengths: Any = None,
        beams: int = 1,
        length_penalty: float = 0.0,
        early_stopping: bool = False,
        draft: Causal | None = None,
        draft_tokens: int = 4,
        generator: Generators = None,
        stream: bool | Literal["text"] = False,
        use_cache: bool = True,
        cache: KVCache | None = None,
        overflow: Literal["error", "slide"] = "error",
        pad: int | None = None,
    ) -> Any:
        """``tokens`` continued by at most ``max_new_tokens``, drawn from softmax(logits /
        ``temperature``), or with temperature 0 the likeliest.

        What comes back holds the given tokens, too, and is of the kind that they are: a list of
        integers for one such list; an array (B, T + n), int64, for one of (B, T), where rows that
        ended earlier are filled up with ``pad``; a list of lists for prompts that differ in length,
        which are given so, or as an array (B, T) with their ``lengths`` (B,).

        A sequence ends behind a token of ``stop``, which is kept, or where its text holds a string
        of ``stop``; None is what the tokeniser says, if there is one, and () nothing. ``top_k``,
        ``top_p``, ``min_p`` and ``typical_p`` are those of :func:`~tinytensor.generation.draw`.
        Logits of all tokens so far are divided by ``repetition_penalty`` if they are positive, and
        multiplied otherwise (Keskar et al. 2019, "CTRL"); from those of new tokens
        ``frequency_penalty`` is taken as often as they came, and ``presence_penalty`` once. No
        stretch of ``no_repeat_ngram`` tokens comes twice, no stop token before
        ``min_new_tokens``, no token of ``suppress`` at all.

        With ``beams`` the best sequence of a :func:`~tinytensor.generation.beam_search` comes back,
        by log-probability over length to the power ``length_penalty``. With a ``draft``, a smaller
        model of the same tokens, that one writes ``draft_tokens`` at a time, which this one reads
        at once; the distribution is this model's (Leviathan, Kalman and Matias 2023, "Fast
        inference from transformers via speculative decoding").

        Row i draws from a stream of its own, of the seed and of i, so what others are beside it
        does not matter, but for the rounding of logits; or ``generator`` has a seed for each row,
        and each is then drawn as if it were alone. With ``stream`` an iterator comes back: of
        tokens, or of pieces of text with "text"; with several prompts of pairs of row and such.
        The model is in evaluation mode until it is exhausted or closed.

        ``cache`` may hold the beginning of ``tokens``, which is then not computed again; behind
        the last token it holds all but that one. Without ``use_cache`` all is computed for each
        token. Prompt and new tokens that are more than the model's context are an error, or with
        ``overflow="slide"`` the older half is forgotten whenever the context is full.

        Raises ValueError for an empty prompt or tokens that the model has not.
        """
        prompts, shape = _prompts(self, tokens, lengths)
        whole("generate", 0, max_new_tokens=max_new_tokens, min_new_tokens=min_new_tokens)
        whole("generate", 1, beams=beams, draft_tokens=draft_tokens)
        ends, stops = _stops(self, stop)
        rules = Rules(
            "generate", ends, temperature, top_k=top_k, top_p=top_p, min_p=min_p,
            typical_p=typical_p, repetition_penalty=repetition_penalty,
            frequency_penalty=frequency_penalty, presence_penalty=presence_penalty,
            no_repeat_ngram=no_repeat_ngram, min_length=min_new_tokens, suppress=suppress,
        )  # fmt: skip
        if overflow not in ("error", "slide"):
            raise ValueError(f"generate: overflow is 'error' or 'slide', not {overflow!r}")
        longest, context = max(map(len, prompts), default=0), self.context
        if overflow == "error" and context is not None and longest + max_new_tokens > context:
            raise ShapeError(
                f"generate: {longest} tokens and {max_new_tokens} new ones are more than the"
                f" model's context of {context}; overflow='slide' forgets the oldest ones"
            )
        if stream and beams > 1:
            raise ValueError("generate: beams are known at the end: they do not stream")
        if draft is not None and (beams > 1 or overflow == "slide" or not use_cache):
            raise ValueError("generate: a draft takes one beam, a cache, and overflow='error'")

        more = max_new_tokens + (0 if draft is None else draft_tokens)
        reader = _Reader(self, prompts, more, use_cache, cache)
        if beams > 1:
            if stops:
                raise ValueError("generate: beams end by tokens, not by strings")
            written = reader.searched(
                rules, max_new_tokens, beams=beams, length_penalty=length_penalty,
                early_stopping=early_stopping,
            )  # fmt: skip
            return _returned(prompts, written, shape, ends, _padding(self, pad, ends))
        texts = None
        if stops or stream == "text":
            tokeniser = getattr(self, "tokenizer", None)
            if tokeniser is None:
                raise ValueError("generate: text takes a tokeniser; model.tokenizer is None")
            texts = [TextStream(tokeniser, prompt.tolist(), stops) for prompt in prompts]
        each = _Streams(generator, len(prompts))
        if draft is None:
            source = reader.drawn(rules, each)
        else:
            helper = _Reader(draft, prompts, more, True, None, reader.past)
            source = drafted(reader, helper, rules, each, draft_tokens)
        run = _until(self, source, len(prompts), max_new_tokens, set(ends), texts, reader.going)
        if stream:
            return _streamed(run, stream == "text", shape is None)
        written = [[] for _ in prompts]
        for row, token, _ in run:
            if token is not None:
                written[row].append(token)
        return _returned(prompts, written, shape, ends, _padding(self, pad, ends))


# --- What is given -------------------------------------------------------------------------------


def _prompts(
    model: Any, tokens: Any, lengths: Any
) -> tuple[list[np.ndarray], tuple[int, ...] | None]:
    """The prompts; and their shape: None of one alone, () of lists, (B, T) of an array."""
    if isinstance(tokens, str):
        raise TypeError("generate: tokens are integers: model.tokenizer.encode(text) gives them")
    shape: tuple[int, ...] | None = ()
    if isinstance(tokens, list | tuple) and tokens and isinstance(tokens[0], list | tuple):
        each = list(tokens)
        if lengths is not None:
            raise ValueError("generate: lengths are those of an array of tokens, not of lists")
    else:
        array = np.asarray(tokens)
        array = integers("generate", "tokens", array if array.size else array.astype(np.int64))
        if array.ndim not in (1, 2) or (array.ndim == 1 and lengths is not None):
            raise ShapeError(f"generate: tokens must be (batch, steps), but are {array.shape}")
        shape, each = (None, [array]) if array.ndim == 1 else (array.shape, list(array))
        if lengths is not None:
            ends = integers("generate", "lengths", lengths)
            if ends.shape != array.shape[:1] or not (ends <= array.shape[1]).all():
                raise ShapeError(f"generate: lengths of tokens {array.shape} are not {ends}")
            shape, each = (), [row[: max(end, 0)] for row, end in zip(array, ends, strict=True)]
    prompts = []
    size = getattr(getattr(model, "config", None), "vocab_size", None)
    for i, row in enumerate(each):
        row = np.asarray(row)
        if not row.size:
            raise ValueError(
                f"generate: prompt {i} is empty: begin with a token, such as the tokeniser's bos"
            )
        prompt = integers("generate", "tokens", row)
        if prompt.ndim != 1:
            raise ShapeError(f"generate: prompt {i} is no row of tokens: {prompt.shape}")
        if prompt.min() < 0 or (size is not None and prompt.max() >= size):
            known = "" if size is None else f" of {size}"
            wrong = prompt.min() if prompt.min() < 0 else prompt.max()
            raise ValueError(f"generate: prompt {i} has a token {wrong} that is none{known}")
        prompts.append(prompt)
    return prompts, shape


def _stops(model: Any, stop: Stop | None) -> tuple[list[int], list[str]]:
    """Tokens and strings that end a sequence."""
    if stop is None:
        return sorted(getattr(getattr(model, "tokenizer", None), "ends", ()) or ()), []
    each = [stop] if isinstance(stop, str) or not isinstance(stop, Iterable) else list(stop)
    if not all(isinstance(one, str | int | np.integer) and one != "" for one in each):
        raise TypeError(f"generate: stop has tokens, and strings that are not empty, not {stop!r}")
    return (
        [int(one) for one in each if not isinstance(one, str)],
        [one for one in each if isinstance(one, str)],
    )


def _padding(model: Any, pad: int | None, ends: list[int]) -> int:
    if pad is None:
        pad = getattr(getattr(model, "tokenizer", None), "pad", None)
    return int(pad) if pad is not None else min(ends, default=0)


def _returned(
    prompts: list[np.ndarray], written: list[list[int]], shape: tuple[int, ...] | None,
    ends: list[int], pad: int,
) -> Any:  # fmt: skip
    """Prompts and what was written, in the kind in which the prompts came."""
    whole_rows = [[*p.tolist(), *w] for p, w in zip(prompts, written, strict=True)]
    if shape is None:
        return whole_rows[0]
    if shape == ():
        return whole_rows
    made = np.full((shape[0], max(map(len, whole_rows), default=shape[1])), pad)
    for row, whole_row in zip(made, whole_rows, strict=True):
        row[: len(whole_row)] = whole_row
    return made


class _Streams:
    """A source of random numbers for each row."""

    def __init__(self, generator: Generators, rows: int) -> None:
        if isinstance(generator, Sequence):
            if len(generator) != rows:
                raise ShapeError(f"generate: {len(generator)} seeds for {rows} prompts")
            self.seeds: list[tuple[Any, int]] = [(seed, 0) for seed in generator]
        else:
            if not isinstance(generator, int | np.integer):
                generator = generator or default_generator()
                generator = int(generator.integers(2**63))
            self.seeds = [(generator, i) for i in range(rows)]
        self.each: list[np.random.Generator] = []

    def __getitem__(self, row: int) -> np.random.Generator:
        if not self.each:  # late: what is not drawn needs none
            self.each = [
                seed
                if isinstance(seed, np.random.Generator)
                else np.random.Generator(np.random.Philox(key=[int(seed) % 2**64, i]))
                for seed, i in self.seeds
            ]
        return self.each[row]

    def uniform(self) -> np.ndarray:
        return np.array([self[row].random() for row in range(len(self.seeds))])


# --- What is computed ----------------------------------------------------------------------------


class _Reader:
    """A model that reads what rows have so far, and says what it thinks of the next token."""

    def __init__(
        self, model: Any, prompts: list[np.ndarray], more: int, use_cache: bool,
        cache: KVCache | None, past: Past | None = None,
    ) -> None:  # fmt: skip
        self.model, self.more = model, more
        lengths = np.array([len(prompt) for prompt in prompts], np.int64)
        longest = int(lengths.max(initial=0))
        if past is None:
            tokens = np.zeros((len(prompts), longest + more), np.int64)
            for row, prompt in zip(tokens, prompts, strict=True):
                row[: len(prompt)] = prompt
            past = Past(tokens, lengths, lengths.copy())
        self.past = past
        self.going = np.ones(len(prompts), bool)
        self.first = np.zeros(len(prompts), np.int64)  # the oldest token that is not forgotten
        self.context = model.context
        self.cache = cache
        if cache is None and use_cache:
            capacity = longest + more
            if self.context is not None:
                capacity = min(capacity, self.context)
            self.cache = model.new_cache(len(prompts), max(capacity, 1))
        if self.cache is not None and self.cache.batch != len(prompts):
            raise ShapeError(
                f"generate: the cache has {self.cache.batch} rows, but there are {len(prompts)}"
                " prompts"
            )
        self.step: Callable[[np.ndarray], np.ndarray] | None = None
        self.asked = self.cache is None  # whether there is a faster step
        self.rows = np.arange(len(prompts))

    def unread(self) -> np.ndarray:
        """How many tokens of each row are still to be read, one at least; what the cache holds
        beyond the past is forgotten."""
        visible = self.past.lengths - self.first
        if self.context is not None and (visible > self.context).any():
            full = visible > self.context
            self.first[full] = self.past.lengths[full] - max(self.context // 2, 1)
            visible = self.past.lengths - self.first
            if self.cache is not None:  # all rows: there may be no room to pad the others
                self.cache.reset()
        if self.cache is None:
            return visible
        known = np.minimum(self.cache.lengths, np.maximum(visible - 1, 0))
        if (known < self.cache.lengths).any():
            self.cache.truncate(known)
        return visible - known

    @no_grad()
    def logits(self, last: int = 1) -> np.ndarray:
        """Of the next token (B, V); or (B, last, V) behind each of the last tokens."""
        counts, lengths = self.unread(), self.past.lengths
        most = int(counts.max(initial=1))
        if most == 1 and last == 1:
            if not self.asked:
                self.step, self.asked = self.model.decoder_step(self.cache), True
            if self.step is not None:
                return self.step(self.past.tokens[self.rows, lengths - 1])
        tokens = np.zeros((len(counts), most), np.int64)
        for row, count, end, all_ in zip(tokens, counts, lengths, self.past.tokens, strict=True):
            row[:count] = all_[end - count : end]
        if self.cache is None:
            features = self.model.features(Tensor(tokens))
        else:
            even = bool((counts == most).all())
            features = self.model.features(
                Tensor(tokens), cache=self.cache, lengths=None if even else counts
            )
        if most > last:
            at = counts[:, None] - last + np.arange(last)
            features = Tensor(features.numpy()[np.arange(len(counts))[:, None], at])
        found = self.model.head(features).numpy()
        return found[:, 0] if last == 1 else found

    def append(self, tokens: np.ndarray) -> None:
        """One more token for each row, also of those that have ended: nobody looks at it."""
        self.past.tokens[self.rows, self.past.lengths] = tokens
        self.past.lengths[:] += 1

    def drawn(self, rules: Rules, streams: _Streams) -> Iterator[tuple[int, int | None]]:
        """Rows and tokens, token by token; None for a row of which nothing may come."""
        while True:
            scores = rules.penalised(self.logits(), self.past)
            new = rules.draw(scores, streams.uniform)
            self.append(new)
            for row, token in enumerate(new.tolist()):
                if self.going[row]:
                    yield row, token if scores[row, token] > -np.inf else None

    def searched(self, rules: Rules, most: int, **how: Any) -> list[list[int]]:
        """The best sequence of beams, for each row."""
        past = self.past
        if not most or not len(self.going):
            return [[] for _ in self.going]
        last = past.tokens[self.rows, past.lengths - 1]
        with in_mode(self.model, training=False):
            state: Any
            step: Any
            if self.cache is None:
                state, step = Past(*(x.copy() for x in past)), self._step_without_cache
                state.lengths[:] -= 1
            else:
                step, state = self._step_of_cache, self.cache
                past.lengths[:] -= 1
                if past.lengths.any():
                    self.logits()
                past.lengths[:] += 1
                if (state.lengths > past.lengths - 1).any():
                    state.truncate(past.lengths - 1)
            found = beams_of(rules, step, state, last, most, penalty="length", past=past, **how)
        return [
            [*best[0].tokens, *([] if best[0].end is None else [best[0].end])] if best else []
            for best in found
        ]

    def _step_of_cache(self, tokens: np.ndarray, cache: KVCache) -> tuple[Tensor, KVCache]:
        return self.model.head(self.model.features(Tensor(tokens[:, None]), cache=cache))[
            :, 0
        ], cache

    def _step_without_cache(self, tokens: np.ndarray, past: Past) -> tuple[Tensor, Past]:
        past = Past(*(x.copy() for x in past))
        rows = np.arange(len(tokens))
        past.tokens[rows, past.lengths] = tokens
        features = self.model.features(Tensor(past.tokens[:, : past.lengths.max() + 1]))
        found = self.model.head(features[rows, past.lengths])
        past.lengths[:] += 1
        return found, past


# --- What comes of it ----------------------------------------------------------------------------


def _until(
    model: Any, source: Iterator[tuple[int, int | None]], rows: int, most: int, ends: set[int],
    texts: list[TextStream] | None, going: np.ndarray,
) -> Iterator[tuple[int, int | None, str]]:  # fmt: skip
    """Rows, tokens and text that is certain, until each row has ended."""
    if not rows or not most:
        return
    left, counts = rows, [0] * rows
    with in_mode(model, training=False):
        for row, token in source:
            counts[row] += 1
            done, text = token is None or token in ends, ""
            if texts is not None:
                text = texts[row].finish() if done else texts[row].push(token or 0)
                done |= texts[row].stopped
                if counts[row] == most:
                    text += texts[row].finish()
            if done or counts[row] == most:
                going[row] = False
                left -= 1
            yield row, token, text
            if not left:
                return


def _streamed(
    run: Iterator[tuple[int, int | None, str]], as_text: bool, alone: bool
) -> Iterator[Any]:
    for row, token, text in run:
        piece = text if as_text else token
        if piece not in (None, ""):
            yield piece if alone else (row, piece)
