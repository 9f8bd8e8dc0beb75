"""Writes tinytensor/kernels/abi.pxd: what tinytensor.h declares, as Cython declares it.

The build runs this before Cython. The header is C of a few plain kinds; whatever is of another
raises an error that shows it:

    #define LIST(X) …                              the lists of kernels; `##` joins names
    enum { A, B = 2 };  typedef enum { … } name;   sizes; choices
    typedef struct { … } name;                     fields, arrays of fixed size, pointers to kernels
    static inline type name(…) { … }               and functions that are only declared
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

HEADING = """\
# Made from csrc/tinytensor.h by csrc/abi.py, at each build: edit the header.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "tinytensor.h" nogil:
"""
INDENT = "    "


def write(header: Path, pxd: Path) -> None:
    """Make ``pxd`` of ``header``. A file that says so already keeps its time of change."""
    text = declarations(header.read_text(encoding="utf-8"), str(header))
    if not pxd.exists() or pxd.read_text(encoding="utf-8") != text:
        pxd.write_text(text, encoding="utf-8")


def declarations(source: str, name: str = "the header") -> str:
    """The text of abi.pxd for the text of a header."""
    try:
        lines = [line for declared in _split(_expanded(source)) for line in _declared(declared)]
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return HEADING + "".join(f"{INDENT}{line}\n" for line in lines)


# --- The preprocessor's part -----------------------------------------------------------------


def _expanded(source: str) -> str:
    """The header without comments and directives, its macros expanded."""
    source = re.sub(r"/\*.*?\*/", " ", source, flags=re.DOTALL).replace("\\\n", " ")
    macros: dict[str, tuple[list[str], str]] = {}
    code = []
    for line in source.splitlines():
        macro = re.fullmatch(r"#define (\w+)\(([\w, ]+)\) +(.+)", line.rstrip())
        if macro:
            macros[macro[1]] = (re.split(r", *", macro[2]), macro[3])
        elif not line.startswith("#"):
            code.append(line)
        elif not re.match(r"#(ifndef|define) \w+$|#endif|#include <", line.rstrip()):
            raise ValueError(f"this directive has no counterpart in Cython: {line.strip()}")
    return _with_macros("\n".join(code), macros)


def _with_macros(text: str, macros: dict[str, tuple[list[str], str]]) -> str:
    for _ in range(10_000):
        call = re.search(rf"\b({'|'.join(macros) or '$^'})\(([^()]*)\)", text)
        if call is None:
            return text
        names, body = macros[call[1]]
        values = re.split(r", *", call[2].strip())
        if len(values) != len(names):
            raise ValueError(f"{call[0]} should have {len(names)} arguments")
        given = dict(zip(names, values, strict=True))
        words = [given.get(word, word) for word in re.split(r"(\w+)", body)]
        text = text.replace(call[0], re.sub(r" *## *", "", "".join(words)))
    raise ValueError("the macros have no end")


# --- Declarations ----------------------------------------------------------------------------


def _split(code: str) -> list[str]:
    """One string for each declaration: to its semicolon, or to the end of a function's body."""
    found, depth, begin = [], 0, 0
    for i, char in enumerate(code):
        depth += (char == "{") - (char == "}")
        if depth == 0 and (char == ";" or (char == "}" and "(" in code[begin:i].split("{")[0])):
            found.append(" ".join(code[begin : i + 1].split()))
            begin = i + 1
    if code[begin:].strip():
        raise ValueError(f"a declaration has no end: {_short(code[begin:])}")
    return found


def _declared(code: str) -> list[str]:
    """The lines for one declaration."""
    if match := re.fullmatch(r"typedef struct \{(.*)\} (\w+);", code):
        fields = [f for part in match[1].split(";") if part.strip() for f in _fields(part.strip())]
        return [f"ctypedef struct {match[2]}:", *(INDENT + field for field in fields)]
    if match := re.fullmatch(r"typedef enum \{(.*)\} (\w+);", code):
        return [f"ctypedef enum {match[2]}:", *(INDENT + n for n in _enumerators(match[1]))]
    if match := re.fullmatch(r"enum \{(.*)\};", code):
        # Sizes, which are calculated with: in 64 bits, as all sizes.
        return [f"int64_t {name}" for name in _enumerators(match[1])]
    if match := re.fullmatch(r"(?:static inline )?([\w *]+\(.*?\))(?: \{.*\}|;)", code):
        return [_function(match[1])]
    raise ValueError(f"abi.py cannot read this declaration: {_short(code)}")


def _enumerators(code: str) -> list[str]:
    return [_name(part.split("=")[0].strip(), code) for part in code.split(",") if part.strip()]


def _fields(code: str) -> list[str]:
    """The fields that ``const float *x, *y`` and the like declare, one each."""
    if match := re.fullmatch(r"void \(\*(\w+)\)\((const \w+ \*)\)", code):
        return [f"void (*{_name(match[1], code)})({match[2]}) noexcept nogil"]
    match = re.fullmatch(r"((?:const )?\w+) ?(\*?\w.*|\*.*)", code)
    if not match:
        raise ValueError(f"abi.py cannot read this field: {_short(code)}")
    fields = []
    for declared in match[2].split(","):
        parts = re.fullmatch(r"(\**)(\w+)((?:\[\w+\])*)", declared.strip())
        if not parts:
            raise ValueError(f"abi.py cannot read this field: {_short(code)}")
        fields.append(f"{match[1]} {parts[1]}{_name(parts[2], code)}{parts[3]}")
    return fields


def _function(code: str) -> str:
    match = re.fullmatch(r"((?:const )?\w+ \**)(\w+)\((.*)\)", code)
    if not match or re.search(r"[()]", match[3]):
        raise ValueError(f"abi.py cannot read this function: {_short(code)}")
    arguments = "" if match[3] == "void" else match[3]
    return f"{match[1]}{_name(match[2], code)}({arguments})"


def _name(word: str, code: str) -> str:
    if not word.isidentifier() or keyword.iskeyword(word):
        raise ValueError(f"{word!r} is no name in Python, in: {_short(code)}")
    return word


def _short(code: str) -> str:
    text = " ".join(code.split())
    return text if len(text) <= 80 else f"{text[:77]}..."
