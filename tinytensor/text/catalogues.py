"""Catalogues of messages and their translations, as gettext has them: .po as text, .mo as binary.

    #. to translators      a .po, entry by entry
    #: where.py:12
    #, fuzzy, python-format
    msgctxt "menu"
    msgid "one file"
    msgid_plural "%d files"
    msgstr[0] "eine Datei"
    msgstr[1] "%d Dateien"

    magic  revision  N  where the ids' and where the strings' tables are  …      a .mo
    tables of N pairs (length, offset); ids and strings, each ended by a zero

Source: GNU gettext manual, "The Format of PO Files" and "The Format of GNU MO Files".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np

from ..errors import a_kind_of
from ..io.files import short
from .sources import Source, content_of, decoded, files_in

FORMS = 100  # the most forms of a plural that are believed


@dataclass
class Message:
    """A message and its translation: ``strings`` has one text, or one for each plural form."""

    id: str
    strings: tuple[str, ...]
    context: str | None = None
    plural: str | None = None
    flags: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()  # of translators
    extracted: tuple[str, ...] = ()  # comments for translators, from the program
    references: tuple[str, ...] = ()
    previous: dict[str, str] = field(default_factory=dict)  # what a fuzzy one was translated from
    obsolete: bool = False
    line: int = 0

    @property
    def string(self) -> str:
        """The translation; of one with plural forms the first."""
        return self.strings[0] if self.strings else ""

    @property
    def fuzzy(self) -> bool:
        """Whether a translator has still to look at it."""
        return "fuzzy" in self.flags

    @property
    def translated(self) -> bool:
        """Whether there is a text in each form."""
        return bool(self.strings) and all(self.strings)


class Catalogue:
    """Messages in the order of the file, and the ``header`` that comes first in it.

    It has a length, can be iterated over, and ``get`` finds a message.
    """

    def __init__(self, messages: list[Message], header: dict[str, str], charset: str) -> None:
        self.messages, self.header, self.charset = messages, header, charset

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def __repr__(self) -> str:
        return f"Catalogue of {len(self)} messages, {self.language or 'of no language'}"

    @property
    def language(self) -> str:
        """What the header says of it."""
        return self.header.get("language", "")

    @cached_property
    def _by_id(self) -> dict[tuple[str | None, str], Message]:
        return {(m.context, m.id): m for m in self.messages if not m.obsolete}

    def get(self, id: str, context: str | None = None) -> Message | None:
        """The message of an id (and a context), or None; of two the last."""
        return self._by_id.get((context, id))

    def pairs(
        self, fuzzy: bool = False, obsolete: bool = False, plurals: bool = True
    ) -> list[tuple[str, str]]:
        """Messages and translations, of those that are translated.

        Fuzzy and obsolete ones only if asked for. Of one with ``plurals`` the singular with the
        first form, and the plural with the last.
        """
        found = []
        for message in self.messages:
            if (message.fuzzy and not fuzzy) or (message.obsolete and not obsolete):
                continue
            strings = message.strings
            if strings and strings[0]:
                found.append((message.id, strings[0]))
            if plurals and message.plural is not None and len(strings) > 1 and strings[-1]:
                found.append((message.plural, strings[-1]))
        return found


def read_catalogue(source: Source, member: str | None = None) -> Catalogue:
    """The messages of a .po or .mo file; the content says which it is.

    ``source`` is a path, the content as bytes, or a file opened in binary mode; with ``member``, a
    wheel or another zip archive that holds a file of this name. The charset is the header's.

    Raises ValueError, which names the file, and of a .po the line, for what is damaged, or neither.

    >>> content = b'msgid "file"\\nmsgstr "Datei"\\n#, fuzzy\\nmsgid "a" "b"\\nmsgstr ""\\n"c\\\\n"'
    >>> catalogue = read_catalogue(content)
    >>> [(message.id, message.string, message.fuzzy) for message in catalogue]
    [('file', 'Datei', False), ('ab', 'c\\n', True)]
    >>> catalogue.pairs()
    [('file', 'Datei')]
    """
    content, name = content_of(source, "read_catalogue", member)
    return _catalogue(content, name)


def catalogues(
    where: str | os.PathLike[str], language: str, kind: str | None = None
) -> list[tuple[str, Catalogue]]:
    """The catalogues of one language below a folder, or in a wheel: names of members, and each.

    They are files in ``…/LANGUAGE/LC_MESSAGES/``, or ``LANGUAGE.po``. Of a .po and a .mo of one
    name the .po is read, unless ``kind`` is "mo"; with "po" no .mo is read. "pt-br" is "pt_BR".

    Raises ValueError if a catalogue is damaged. A language that is not there has no catalogues.
    """
    if not isinstance(language, str):
        raise TypeError(f"catalogues: language is {a_kind_of(language)}, not a str")
    if kind not in (None, "po", "mo"):
        raise ValueError(f"catalogues: kind must be 'po' or 'mo', not {kind!r}")
    wanted = _language(language)

    def choose(names: list[str]) -> Iterable[str]:
        chosen = {}
        for name in names:
            stem, _, ending = name.rpartition(".")
            if ending not in ("po", "mo") or kind not in (None, ending):
                continue
            parts = stem.split("/")
            found = parts[-3] if len(parts) > 2 and parts[-2] == "LC_MESSAGES" else parts[-1]
            if _language(found) == wanted and (ending == "po" or stem not in chosen):
                chosen[stem] = name
        return chosen.values()

    found = list(files_in(where, "catalogues", choose))
    return [(name, _catalogue(content, f"{os.fspath(where)}: {name}")) for name, content in found]


def _language(name: str) -> str:
    return name.replace("-", "_").lower()


def _catalogue(content: bytes, name: str) -> Catalogue:
    if content[:4] in (b"\xde\x12\x04\x95", b"\x95\x04\x12\xde"):
        return _read_mo(content, name)
    return _PO(content, name).read()


def _error(name: str, what: str, line: int = 0) -> ValueError:
    place = f", line {line}" if line else ""
    return ValueError(f"read_catalogue: {name}{place}: {what}")


# --- What both have --------------------------------------------------------------------------

_CHARSET = re.compile(rb"charset=([^\s\"\\;]+)", re.I)
_PROBE = b'msgid[0] "\\n#~|,:.~{}+-&"'  # what a charset must leave as ASCII has it


def _charset(found: re.Match[bytes] | None, name: str) -> str:
    """The charset of a header's bytes. Raises ValueError for one that is none of text."""
    if found is None or found[1] == b"CHARSET":  # as in a template
        return "utf-8"
    charset = found[1].decode("ascii", "replace")
    try:
        same = _PROBE.decode(charset) == _PROBE.decode()
    except (LookupError, ValueError):  # a codec's own errors are of these kinds
        same = False
    if not same or charset.lower() in ("idna", "punycode"):
        raise _error(name, f"its charset is {short(charset)}, which is none to read a catalogue in")
    return charset


def _header(text: str) -> dict[str, str]:
    """The fields of a header by their names in small letters."""
    fields = {}
    for line in text.split("\n"):
        key, colon, value = line.partition(":")
        if colon:
            fields[key.strip().lower()] = value.strip()
    return fields


# --- .po -------------------------------------------------------------------------------------

_CONTENT_TYPE = re.compile(
    rb'(?:"|\\n)Content-Type:(?:(?!\\n)[^"])*?charset=([^\s"\\;]+)', re.IGNORECASE
)
_JOINT = re.compile(rb'"[ \t\r]*\n[ \t]*"')  # of a text over several lines
_MSGID = re.compile(rb"^[ \t]*msgid[ \t\r\n]*\"", re.MULTILINE)
_STRING = re.compile(r'[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"')
_KEYWORD = re.compile(
    r"(msgctxt|msgid_plural|msgid|msgstr|domain)(?:[ \t]*\[[ \t]*(\d{1,9})[ \t]*\])?"
)
_ESCAPE = re.compile(r"((?:\\(?:x[0-9a-fA-F]{1,2}|[0-7]{1,3}))+)|\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NUMBER = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3}))")
_FIELDS = {"msgctxt": "context", "msgid": "id", "msgid_plural": "plural"}
_BEFORE = {"context": (None,), "id": (None, "context"), "plural": ("id",)}


class _PO:
    """A .po file, read line by line: comments and texts are gathered until an entry is whole."""

    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        content = content.removeprefix(b"\xef\xbb\xbf")
        begins = [match.start() for match in islice(_MSGID.finditer(content), 2)]
        header = content[: begins[1]] if len(begins) > 1 else content
        self.charset = _charset(_CONTENT_TYPE.search(_JOINT.sub(b"", header)), name)
        self.text = decoded(content, self.charset, "read_catalogue", name)
        self.messages: list[Message] = []
        self.header: dict[str, str] | None = None
        self._begin()

    def _begin(self) -> None:
        """Forget what was gathered: the next line is of another entry."""
        self.texts: dict[str, list[str]] = {}  # the pieces of context, id and plural
        self.forms: list[list[str]] = []  # and of each translation
        self.previous: dict[str, list[str]] = {}
        self.notes: dict[str, list[str]] = {}  # comments by the character behind the #
        self.obsolete = False
        self.first = 0  # its line
        self.into: list[str] | None = None  # what a string alone on its line goes on

    def read(self) -> Catalogue:
        for line, content in enumerate(self.text.split("\n"), 1):
            content = content.strip(" \t\r\f\v")
            if not content:
                continue
            if content[0] == '"':
                self._go_on(content, line, False)
            elif content[0] != "#":
                self._keyword(content, line, False)
            elif content[1:2] != "~":
                self._comment(content, line)
            elif content[2:3] == "|":
                self._comment("#" + content[2:], line)
            elif (rest := content[2:].lstrip()) and rest[0] == '"':
                self._go_on(rest, line, True)
            elif rest:
                self._keyword(rest, line, True)
        self._end()
        return Catalogue(self.messages, self.header or {}, self.charset)

    def _error(self, what: str, line: int) -> ValueError:
        return _error(self.name, what, line)

    def _comment(self, content: str, line: int) -> None:
        if self.forms:
            self._end()
        elif self.texts:
            raise self._error("a comment within an entry", line)
        kind, rest = content[1:2], content[2:]
        if kind == "|":
            rest = rest.lstrip()
            if rest[:1] != '"':
                found = _KEYWORD.match(rest)
                if not found or found[1] not in ("msgctxt", "msgid", "msgid_plural"):
                    raise self._error(f"{short(content)} is no previous message", line)
                self.into = self.previous[_FIELDS[found[1]]] = []
                rest = rest[found.end() :]
            if self.into is None:
                raise self._error("a string without a keyword", line)
            self.into.extend(self._strings(rest, line))
            return
        self.into = None
        if kind in (".", ":", ",", "="):
            self.notes.setdefault(kind, []).append(rest.strip())
        else:
            self.notes.setdefault("", []).append(content[1:].strip())

    def _keyword(self, content: str, line: int, obsolete: bool) -> None:
        found = _KEYWORD.match(content)
        if found is None:
            raise self._error(f"{short(content)} begins with no keyword", line)
        keyword, number = found.groups()
        if keyword == "domain":
            self._end()
            self._strings(content[found.end() :], line)
            return
        if self.forms and keyword in ("msgctxt", "msgid"):
            self._end()
        if not self.texts:
            self.first, self.obsolete = line, obsolete
        elif self.obsolete != obsolete:
            raise self._error("an entry is obsolete in part", line)
        if keyword == "msgstr":
            self.into = self._form(number, line)
        else:
            name = _FIELDS[keyword]
            last = next(reversed(self.texts), None)
            if number is not None or self.forms or last not in _BEFORE[name]:
                raise self._error(f"{keyword} in a wrong place", line)
            self.into = self.texts[name] = []
        self.into.extend(self._strings(content[found.end() :], line))

    def _form(self, number: str | None, line: int) -> list[str]:
        """A new translation, the only one or that of the next plural form."""
        if "id" not in self.texts:
            raise self._error("msgstr without a msgid", line)
        if (number is None) != ("plural" not in self.texts):
            which = "without a msgid_plural" if number else "without a number, of a plural"
            raise self._error(f"msgstr {which}", line)
        if int(number or 0) != len(self.forms) or len(self.forms) >= FORMS:
            raise self._error(f"msgstr[{number or 0}] follows {len(self.forms)} others", line)
        self.forms.append([])
        return self.forms[-1]

    def _go_on(self, content: str, line: int, obsolete: bool) -> None:
        if self.into is None or not self.texts:
            raise self._error("a string without a keyword", line)
        if self.obsolete != obsolete:
            raise self._error("an entry is obsolete in part", line)
        self.into.extend(self._strings(content, line))

    def _strings(self, content: str, line: int) -> list[str]:
        """The texts in quotes of the rest of a line."""
        content = content.strip()
        if "\\" not in content and content.count('"') == 2 and content[0] == content[-1] == '"':
            return [content[1:-1]]
        found, at = [], 0
        while at < len(content):
            match = _STRING.match(content, at)
            if match is None:
                raise self._error(f"no whole text in quotes: {short(content[at:])}", line)
            at = match.end()
            found.append(self._unescaped(match[1], line))
        return found

    def _unescaped(self, text: str, line: int) -> str:
        if "\\" not in text:
            return text

        def meant(match: re.Match[str]) -> str:
            if match[1] is None:
                return _ESCAPES.get(match[2], match[2])
            numbers = [int(h, 16) if h else int(o, 8) & 255 for h, o in _NUMBER.findall(match[1])]
            try:
                return bytes(numbers).decode(self.charset)
            except ValueError as error:
                raise self._error(f"{short(match[0])} is not {self.charset}", line) from error

        return _ESCAPE.sub(meant, text)

    def _end(self) -> None:
        """Make a message of what was gathered."""
        if not self.texts:
            return
        if "id" not in self.texts or not self.forms:
            lacks = "msgstr" if "id" in self.texts else "msgid"
            raise _error(self.name, f"an entry, from line {self.first} on, has no {lacks}")
        texts = {name: "".join(pieces) for name, pieces in self.texts.items()}
        strings = tuple("".join(pieces) for pieces in self.forms)
        flags = ",".join(self.notes.get(",", []) + self.notes.get("=", [])).split(",")
        message = Message(
            texts["id"],
            strings,
            texts.get("context"),
            texts.get("plural"),
            tuple(flag for each in flags if (flag := each.strip())),
            tuple(self.notes.get("", ())),
            tuple(self.notes.get(".", ())),
            tuple(" ".join(self.notes.get(":", ())).split()),
            {name: "".join(pieces) for name, pieces in self.previous.items()},
            self.obsolete,
            self.first,
        )
        if message.id or message.context is not None or self.obsolete:
            self.messages.append(message)
        elif self.header is None:
            self.header = _header(message.string)
        else:
            raise self._error("there are two headers", self.first)
        self._begin()


# --- .mo -------------------------------------------------------------------------------------


def _read_mo(content: bytes, name: str) -> Catalogue:
    order = "<" if content[0] == 0xDE else ">"
    if len(content) < 20:
        raise _error(name, f"truncated: {len(content)} bytes")
    revision, count, ids, strings = np.frombuffer(content, f"{order}u4", 4, 4).tolist()
    if revision >> 16 > 1:
        raise _error(name, f"a revision {revision >> 16}, where 0 and 1 are known")
    pieces = [
        _pieces(content, at, count, order, what, name)
        for at, what in ((ids, "ids"), (strings, "translations"))
    ]
    header = b""
    for id, string in zip(*pieces, strict=True):
        if not id:
            header = string
    charset = _charset(_CHARSET.search(header), name)
    messages = []
    for id, string in zip(*pieces, strict=True):
        if not id:
            continue
        try:
            text, translation = id.decode(charset), string.decode(charset)
        except UnicodeDecodeError as error:
            raise _error(name, f"{short(id)} is not {charset}: {error.reason}") from error
        context, separator, rest = text.partition("\x04")
        text = rest if separator else text
        text, separated, plural = text.partition("\0")
        messages.append(
            Message(
                text,
                tuple(translation.split("\0")) if separated else (translation,),
                context if separator else None,
                plural if separated else None,
            )
        )
    return Catalogue(messages, _header(header.decode(charset, "replace")), charset)


def _pieces(content: bytes, at: int, count: int, order: str, what: str, name: str) -> list[bytes]:
    """The texts of a table of lengths and offsets; none of what it claims is believed."""
    if at + 8 * count > len(content):
        raise _error(name, f"truncated: its table of {count} {what} is at {at}")
    table = np.frombuffer(content, f"{order}u4", 2 * count, at).reshape(-1, 2).astype(np.int64)
    lengths, begins = table[:, 0], table[:, 1]
    ends = lengths + begins
    if (ends >= len(content)).any():
        i = int((ends >= len(content)).argmax())
        raise _error(name, f"truncated: {lengths[i]} bytes at {begins[i]} of {len(content)}")
    if (np.frombuffer(content, np.uint8)[ends] != 0).any():
        raise _error(name, f"one of its {what} has no zero at its end")
    if int(lengths.sum()) > 8 * len(content):  # memory stays in proportion to the file
        raise _error(name, f"its {what} overlap")
    return [content[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
