"""Dialogues in YAML: what is said in turns, as the corpus of ChatterBot has it.

categories:                  a file
- food
conversations:
- - Do you drink?            a conversation, a list of turns
  - Only electricity.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import a_kind_of
from ..io.files import short
from .extras import needed
from .sources import Source, content_of, decoded, files_in


class Dialogue(NamedTuple):
    """What is said in turns, the categories of the file, and its name."""

    turns: tuple[str, ...]
    categories: tuple[str, ...] = ()
    source: str = ""


def read_dialogues(
    source: Source, language: str | None = None, member: str | None = None
) -> list[Dialogue]:
    """The conversations of a YAML file, or of all below a folder or in a wheel.

    ``source`` is a path, a file's content as bytes, or a file opened in binary mode; with
    ``member``, a wheel or another zip archive that holds a file of this name. Of a folder or a
    wheel all files ending with .yml and .yaml are read, with ``language`` those in a folder of this
    name. Nothing is guessed of a scalar's type: a turn ``yes`` or ``4`` is this text.

    Raises ValueError, which names the file, for one that is no YAML or holds no conversations;
    ImportError without pyyaml (extra ``text``).

    >>> read_dialogues(b"categories: [small talk]\\nconversations:\\n- - Ready?\\n  - yes\\n")
    [Dialogue(turns=('Ready?', 'yes'), categories=('small talk',), source='the bytes')]
    """
    if member is None and isinstance(source, str | os.PathLike) and _holds_files(source):

        def choose(names: list[str]) -> Iterable[str]:
            files = [name for name in names if name.endswith((".yml", ".yaml"))]
            return [f for f in files if language is None or language in f.split("/")[:-1]]

        files = list(files_in(source, "read_dialogues", choose))
        return [dialogue for name, content in files for dialogue in _dialogues(content, name)]
    if language is not None:
        raise ValueError("read_dialogues: language is for a folder or a wheel")
    return _dialogues(*content_of(source, "read_dialogues", member))


def replies(dialogues: Iterable[Dialogue], alternatives: bool = False) -> list[tuple[str, str]]:
    """What was said and what was answered: each turn with the one before it.

    With ``alternatives`` all later turns are answers to the first.

    >>> replies([Dialogue(("Hi.", "Hello.", "Well?"))])
    [('Hi.', 'Hello.'), ('Hello.', 'Well?')]
    >>> replies([Dialogue(("Hi.", "Hello.", "Hey."))], alternatives=True)
    [('Hi.', 'Hello.'), ('Hi.', 'Hey.')]
    """
    pairs = []
    for dialogue in dialogues:
        if not isinstance(dialogue, Dialogue):
            raise TypeError(f"replies: a dialogue is {a_kind_of(dialogue)}, not a Dialogue")
        turns = dialogue.turns
        said = turns[:1] * len(turns) if alternatives else turns
        pairs += list(zip(said, turns[1:], strict=False))
    return pairs


def _holds_files(source: str | os.PathLike[str]) -> bool:
    if Path(source).is_dir():
        return True
    try:
        with open(source, "rb") as file:
            return file.read(4) == b"PK\3\4"
    except OSError:  # told by who reads it
        return False


def _dialogues(content: bytes, name: str) -> list[Dialogue]:
    yaml = needed("yaml", "read_dialogues", "pyyaml")
    # This loader makes lists, dicts and texts alone: no tag runs anything, nor changes a type.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    text = decoded(content, "utf-8", "read_dialogues", name)

    def error(what: str) -> ValueError:
        return ValueError(f"read_dialogues: {name}: {what}")

    try:
        document = yaml.load(text, loader)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise error(f"no YAML: {' '.join(str(problem).split())}") from problem
    if not isinstance(document, dict) or not isinstance(document.get("conversations"), list):
        raise error(f"it has no list of conversations: {short(document)}")
    categories = document.get("categories") or []
    if not isinstance(categories, list):
        categories = [categories]
    kept = tuple(_text(category, error) for category in categories)
    found: list[Dialogue] = []
    turns_left = len(content)  # more would be aliases of aliases
    for conversation in document["conversations"]:
        turns = conversation if isinstance(conversation, list) else [conversation]
        turns_left -= len(turns)
        if turns_left < 0:
            raise error("it repeats itself more often than it has bytes")
        if turns:
            found.append(Dialogue(tuple(_text(turn, error) for turn in turns), kept, name))
    return found


def _text(value: Any, error: Any) -> str:
    """A turn as it was meant: "Note: this" without quotes is a mapping to YAML."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, rest),) = value.items()
        if isinstance(key, str) and isinstance(rest, str):
            return f"{key}: {rest}".strip()
    if not isinstance(value, str):
        raise error(f"a turn is {a_kind_of(value)}, not text: {short(value)}")
    return value.strip()
