"""Matrix multiplication: squares, the transposes, and the shapes of models."""

from __future__ import annotations

from collections.abc import Iterator
from operator import matmul
from typing import Any

from ..row import Row, everywhere

ALL = ("tinytensor", "torch", "numpy", "jax")


def product_nt(a: Any, b: Any) -> Any:
    return a @ b.mT


def product_tn(a: Any, b: Any) -> Any:
    return a.mT @ b


def gemm(m: int, k: int, n: int, batch: int = 0, form: str = "", quick: bool = False) -> Row:
    """The row of (m, k) · (k, n), ``batch`` of them; ``form`` nt or tn: B or A is transposed."""
    lead = (batch,) if batch else ()
    a = (*lead, k, m) if form == "tn" else (*lead, m, k)
    b = (*lead, n, k) if form == "nt" else (*lead, k, n)
    name = f"gemm {form} " if form else "gemm "
    name += f"{batch} of " if batch else ""
    function = {"": matmul, "nt": product_nt, "tn": product_tn}[form]
    return Row(
        "gemm",
        name + (f"{n}" if m == k == n else f"{m}x{k} * {k}x{n}"),
        "forward",
        everywhere(function, *ALL),
        {"a": a, "b": b},
        flops=2.0 * m * k * n * (batch or 1),
        bytes=4.0 * (m * k + k * n + m * n) * (batch or 1),
        quick=quick,
    )


def rows() -> Iterator[Row]:
    for n in (32, 64, 128, 256, 512, 1024, 2048):
        yield gemm(n, n, n, quick=n in (64, 512))
    for form in ("nt", "tn"):
        for n in (64, 256, 512, 1024):
            yield gemm(n, n, n, form=form)
    yield gemm(4096, 64, 64, quick=True)
    yield gemm(1024, 384, 1536)
    yield gemm(1024, 384, 1536, form="tn")
    yield gemm(333, 777, 555)
    yield gemm(768, 128, 512)
    yield gemm(512, 768, 50257)
    yield gemm(256, 64, 256, batch=48)
    yield gemm(1, 768, 50257)


ROWS = list(rows())
