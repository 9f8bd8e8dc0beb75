"""csrc/abi.py, which makes Cython's declarations of the C header."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
abi: Any = runpy.run_path(str(ROOT / "csrc" / "abi.py"))


def declared(source: str) -> list[str]:
    lines = abi["declarations"](source).split("\n")
    return lines[lines.index('cdef extern from "tinytensor.h" nogil:') + 1 : -1]


def test_every_kind_of_declaration() -> None:
    source = """
#ifndef TT_H
#define TT_H
#include <stdint.h>
/* A comment { of
 * two lines; */
enum { TT_FEW = 3, TT_MANY = TT_FEW + 16, /* a sum */ };
typedef enum { TT_NONE, TT_ALL } tt_choice;
typedef struct {
    const float *x, *y; /* or NULL */
    float p, *q;
    int64_t sizes[TT_FEW];
} tt_args;
static inline int64_t tt_double(int64_t n) { if (n) { return 2 * n; } return 0; }
#define TT_LOSSES(X, NAME) \\
    X(NAME##_loss_f32, tt_args)
#define TT_KERNELS(X)   \\
    TT_LOSSES(X, mse)   \\
    X(add_f32, tt_args)
#define TT_FIELD(kernel, args) void (*kernel)(const args *);
typedef struct {
    TT_KERNELS(TT_FIELD)
} tt_kernels;
const tt_kernels *tt_at(int i);
#endif
"""
    assert declared(source) == [
        "    int64_t TT_FEW",
        "    int64_t TT_MANY",
        "    ctypedef enum tt_choice:",
        "        TT_NONE",
        "        TT_ALL",
        "    ctypedef struct tt_args:",
        "        const float *x",
        "        const float *y",
        "        float p",
        "        float *q",
        "        int64_t sizes[TT_FEW]",
        "    int64_t tt_double(int64_t n)",
        "    ctypedef struct tt_kernels:",
        "        void (*mse_loss_f32)(const tt_args *) noexcept nogil",
        "        void (*add_f32)(const tt_args *) noexcept nogil",
        "    const tt_kernels *tt_at(int i)",
    ]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("union { int a; } x;", "union { int a; } x;"),
        ("typedef struct { int bits : 3; } tt_args;", "int bits : 3"),
        ("typedef struct { struct { int a; } inner; } tt_args;", "struct { int a"),
        ("typedef struct { int lambda; } tt_args;", "'lambda' is no name"),
        ("typedef struct { int (*call)(int); } tt_args;", r"int (*call)(int)"),
        ("int tt_each(void (*run)(int));", "int tt_each(void (*run)(int))"),
        ("#if SOMETHING", "#if SOMETHING"),
        ("#define TT_SIZE 3", "#define TT_SIZE 3"),
        ("enum { TT_SIZE = 3 }", "no end: enum { TT_SIZE = 3 }"),
        ("#define TT_TWO(a, b) int a;\nTT_TWO(x)", "TT_TWO(x) should have 2 arguments"),
    ],
)
def test_what_it_cannot_read_is_shown(source: str, shown: str) -> None:
    with pytest.raises(ValueError, match=re.escape(shown)) as error:
        abi["declarations"](source, "tinytensor.h")
    assert str(error.value).startswith("tinytensor.h: ")


def test_a_file_that_says_so_already_is_left_alone(tmp_path: Path) -> None:
    header, pxd = tmp_path / "a.h", tmp_path / "a.pxd"
    header.write_text("enum { TT_SIZE = 3 };")
    abi["write"](header, pxd)
    before = pxd.stat().st_mtime_ns
    abi["write"](header, pxd)
    assert pxd.stat().st_mtime_ns == before
    header.write_text("enum { TT_SIZE = 3, TT_OTHER };")
    abi["write"](header, pxd)
    assert "TT_OTHER" in pxd.read_text()


def test_the_header() -> None:
    source = (ROOT / "csrc" / "tinytensor.h").read_text(encoding="utf-8")
    lines = declared(source)
    kernels = re.findall(r"X\((\w+_f(?:32|64)), (\w+)\)", source)
    assert len(kernels) > 100
    for name, args in kernels:
        assert f"        void (*{name})(const {args} *) noexcept nogil" in lines
