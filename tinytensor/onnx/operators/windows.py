"""Paddings of ONNX: what stands before and behind each axis, of convolution and of pooling."""

from __future__ import annotations

from typing import Any

from ... import ops

__all__ = ["around", "reach", "with_padding"]

Pairs = list[tuple[int, int]]


def reach(kernel: Any, dilation: Any) -> list[int]:
    """How much of each axis a window spans."""
    return [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]


def around(
    name: str, auto_pad: str, pads: Any, size: Any, span: Any, stride: Any
) -> tuple[Pairs, bool]:
    """The padding (before, behind) of each axis, and whether the number of windows is ⌈n / s⌉."""
    axes = len(size)
    if auto_pad in ("NOTSET", ""):
        pads = pads or (0,) * (2 * axes)
        if len(pads) != 2 * axes:
            raise ValueError(f"{name}: {len(pads)} pads for {axes} axes")
        return list(zip(pads[:axes], pads[axes:], strict=True)), False
    if auto_pad == "VALID":
        return [(0, 0)] * axes, False
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"{name}: there is no auto_pad {auto_pad!r}")
    pairs = []
    for n, w, s in zip(size, span, stride, strict=True):
        whole = max((-(-n // s) - 1) * s + w - n, 0)
        less, more = whole // 2, whole - whole // 2
        pairs.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
    return pairs, True


def with_padding(x: Any, pairs: Pairs, filling: float = 0) -> Any:
    """x with elements before and behind its last axes."""
    if not any(map(any, pairs)):
        return x
    return ops.pad(x, [(0, 0)] * (x.ndim - len(pairs)) + pairs, constant_values=filling)
