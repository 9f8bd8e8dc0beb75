"""Chat templates: Jinja programs out of models' files, which make a text of a conversation.

They run in Jinja's sandbox: no attribute that leads out of the values given can be reached, nothing
is changed, and loops, texts and numbers are bounded.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ..errors import a_kind_of
from ..io.files import short

__all__ = ["ChatText", "chat_text"]

STEPS = 200_000  # of loops, and calls
LENGTH = 4 << 20  # characters of a text
LARGEST = 1 << 20  # number that a text may be multiplied by, or filled up to

# Filters that make long texts of short ones, and none that transformers' templates use.
UNUSED = ("center", "wordwrap", "urlize", "xmlattr", "pprint", "filesizeformat", "random")


class ChatText(str):
    """The text of a conversation, which knows where its template wrote special tokens.

    Only these become special tokens when it is encoded: what a message says is text, whatever it
    says. A part of it, or a sum with other texts, is a plain str.
    """

    __slots__ = ("specials",)
    specials: tuple[tuple[int, int], ...]  # where they are: start, end

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """The text in pieces, each with whether it is a special token."""
        at = 0
        for start, end in self.specials:
            if at < start:
                yield self[at:start], False
            yield self[start:end], True
            at = end
        if at < len(self):
            yield self[at:], False


def chat_text(
    template: str, messages: Any, specials: Iterable[str], caller: str, **variables: Any
) -> ChatText:
    """What a template makes of messages, a list of dicts with "role" and "content".

    Raises ValueError, with what the template says, if it refuses them or does too much.
    """
    if isinstance(messages, str | Mapping) or not isinstance(messages, Iterable):
        raise TypeError(f"{caller}: messages are {a_kind_of(messages)}, not a list of dicts")
    messages = list(messages)
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise ValueError(f"{caller}: a message is {short(message)}, not a dict with a role")
    spellings = sorted(filter(None, specials), key=len, reverse=True)
    found = re.compile("|".join(map(re.escape, spellings)) or r"(?!)")
    said = json.dumps([messages, variables], ensure_ascii=False, default=str)
    mark = next(c for c in map(chr, range(0xF0000, 0xFFFFE)) if c not in said + template)

    def marked(value: Any) -> Any:
        if isinstance(value, str):
            return found.sub(lambda match: match[0][0] + mark + match[0][1:], value)
        if isinstance(value, Mapping):
            return {key: marked(item) for key, item in value.items()}
        return [*map(marked, value)] if isinstance(value, list | tuple) else value

    own: dict[str, Any] = {
        key: variables.pop(key) for key in ("bos_token", "eos_token") if key in variables
    }
    given = {"messages": messages, **variables}
    text = _rendered(template, {**{k: marked(v) for k, v in given.items()}, **own}, caller)
    parts, spans, length, at = [], [], 0, 0
    for match in found.finditer(text):
        before = text[at : match.start()].replace(mark, "")
        parts += [before, match[0]]
        spans.append((length + len(before), length + len(before) + len(match[0])))
        length, at = spans[-1][1], match.end()
    made = ChatText("".join([*parts, text[at:].replace(mark, "")]))
    made.specials = tuple(spans)
    return made


def _rendered(template: str, variables: dict[str, Any], caller: str) -> str:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError(f"{caller}: needs jinja2: pip install tinytensor[chat]") from error
    environment = _environment()()
    try:
        compiled = environment.from_string(template)
        parts, length = [], 0
        for part in compiled.generate(**variables):
            parts.append(part)
            length += len(part)
            if length > LENGTH:
                raise TooMuch(f"it makes more than {LENGTH} characters")
        return "".join(parts)
    except (
        jinja2.TemplateError,
        TooMuch,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
        MemoryError,
        SyntaxError,
        AssertionError,
    ) as error:
        known = isinstance(error, jinja2.TemplateError | TooMuch)
        told = str(error) if known else f"{type(error).__name__}: {error}"
        raise ValueError(f"{caller}: the chat template fails: {told}") from error


class TooMuch(Exception):
    """What a template wants is more than a conversation needs."""


@cache
def _environment() -> Any:
    """The class of environments, one of which runs one template once."""
    from jinja2 import nodes
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}…{% endgeneration %}``, which marks what the model says."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    class Environment(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(["*", "**", "+", "%"])

        def __init__(self) -> None:
            super().__init__(
                trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
            )
            self.steps = 0
            self.filters["tojson"] = _tojson
            self.filters["_counted"] = self.counted
            for name in UNUSED:
                self.filters.pop(name, None)
            self.globals.pop("lipsum", None)
            self.globals |= {"raise_exception": _refuse, "strftime_now": _now}

        def _parse(self, source: str, name: Any, filename: Any) -> Any:
            tree = super()._parse(source, name, filename)
            for loop in tree.find_all(nodes.For):
                loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None)
            return tree

        def step(self) -> None:
            self.steps += 1
            if self.steps > STEPS:
                raise TooMuch(f"it takes more than {STEPS} steps")

        def counted(self, items: Any) -> Any:
            if isinstance(items, Sequence):  # whose length templates ask for
                self.steps += len(items)
                self.step()
                return items
            return self._counted(items)

        def _counted(self, items: Any) -> Iterator[Any]:
            for item in items:
                self.step()
                yield item

        def call(self, context: Any, called: Any, *args: Any, **kwargs: Any) -> Any:
            self.step()
            owner = getattr(called, "__self__", None)
            if isinstance(owner, str):
                _check_method(called.__name__, owner, args, kwargs)
            return _bounded(super().call(context, called, *args, **kwargs))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "*":
                for one, other in ((left, right), (right, left)):
                    repeats = isinstance(one, str | list | tuple) and isinstance(other, int)
                    if repeats and len(one) * other > LARGEST:
                        raise TooMuch(f"it repeats something {short(other)} times")
            if operator == "**" and isinstance(right, int | float) and abs(right) > 64:
                raise TooMuch(f"it raises to the power {short(right)}")
            if operator == "%" and isinstance(left, str):
                _check_format(left)
            return _bounded(super().call_binop(context, operator, left, right))

    def _refuse(message: str) -> None:
        raise TemplateError(str(message))

    return Environment


def _bounded(value: Any) -> Any:
    if isinstance(value, str | list | tuple) and len(value) > LENGTH:
        raise TooMuch(f"it makes something of {len(value)} parts")
    if isinstance(value, int) and value.bit_length() > 4096:
        raise TooMuch("it makes a number of more than 4096 bits")
    return value


def _check_method(name: str, owner: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse a method of a text whose result is far longer than the text."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, int) and abs(value) > LARGEST:
            raise TooMuch(f"it calls {name} with {short(value)}")
    last = args[-1] if args else ""
    grown = len(last) if name in ("replace", "join") and isinstance(last, Sequence) else 0
    if len(owner) * grown > 16 * LENGTH:
        raise TooMuch(f"it makes too much by {name}")
    if name in ("format", "format_map"):
        _check_format(owner)


def _check_format(text: str) -> None:
    if re.search(r"[0-9]{6,}|\*", text):
        raise TooMuch(f"it fills up a text to a width: {short(text)}")


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    if isinstance(indent, int) and indent > 64:
        raise TooMuch(f"it indents by {indent}")
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _now(form: str) -> str:
    _check_format(form)
    return datetime.datetime.now().strftime(form)
