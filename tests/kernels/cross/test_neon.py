"""The kernels for NEON, run by an emulator, beside those for SSE2 on the same bytes.

Both have vectors of 16 bytes, so that packed operands lie alike, and agree but for the rounding of
fused products. `-m cross` asks for this, which wants the tools that conftest.py names.
"""

from __future__ import annotations

import ctypes
import re
import runpy
import struct
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinytensor.kernels import PACKED_KINDS

ROOT = Path(__file__).resolve().parents[3]
CROSS, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-Icsrc"]

pytestmark = pytest.mark.cross

# --- The args of kernels ---------------------------------------------------------------------

SCALARS = {
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "uint32_t": ctypes.c_uint32,
    "int": ctypes.c_int,
    "float": ctypes.c_float,
}


def structures() -> tuple[dict[str, type[ctypes.Structure]], dict[str, str]]:
    """The structs of tinytensor.h, and which of them each kernel takes."""
    header = (ROOT / "csrc/tinytensor.h").read_text()
    text = runpy.run_path(str(ROOT / "csrc/abi.py"))["declarations"](header)
    found: dict[str, Any] = {}
    for name, body in re.findall(r"ctypedef struct (\w+_args):\n((?:        .*\n)+)", text):
        fields = []
        for line in body.splitlines():
            kind, pointer, field = re.fullmatch(r"\s*(?:const )?(\w+) (\**)(\w+)", line).groups()
            known = SCALARS.get(kind) or found.get(kind)
            fields.append((field, ctypes.c_void_p if pointer else known))
        found[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    kernels = re.findall(r"void \(\*(\w+)\)\(const (\w+) \*\)", text)
    return found, dict(kernels)


STRUCTS, KERNELS = structures()


def message(kernel: str, given: dict[str, Any]) -> tuple[bytes, list[np.ndarray]]:
    """A call as the driver reads it. ``given``: scalars and arrays, by field ("forward.q")."""
    args = STRUCTS[KERNELS[kernel]]()
    buffers, places = [], []
    for name, value in given.items():
        target, offset = args, 0
        *outer, field = name.split(".")
        for part in outer:
            offset += getattr(type(target), part).offset
            target = getattr(target, part)
        assert hasattr(type(target), field), (kernel, name)
        if isinstance(value, np.ndarray):
            buffers.append(np.ascontiguousarray(value))
            places.append(offset + getattr(type(target), field).offset)
        else:
            setattr(target, field, value)
    head = struct.pack("QQQ", len(kernel), ctypes.sizeof(args), len(buffers))
    data = b"".join(
        struct.pack("QQ", place, buffer.nbytes) + buffer.tobytes()
        for place, buffer in zip(places, buffers, strict=True)
    )
    return head + kernel.encode() + bytes(args) + data, buffers


# --- Calls of every family -------------------------------------------------------------------

RNG = np.random.default_rng(0)
NAN, INF = float("nan"), float("inf")
EDGES = np.array([0, -0.0, 1, -1, 0.5, 88.5, -88.5, 1e-30, 1e30, INF, -INF, NAN], np.float32)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def within(field: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{field}.{name}": value for name, value in given.items()}


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def calls_of_maps() -> Iterator[tuple[str, dict[str, Any]]]:
    for kernel, kind in KERNELS.items():
        for n in (1, 3, 4, 31):
            x = np.concatenate([normal(n), EDGES])[: n + 12]
            if kind == "tt_unary_args":
                for values in (x, abs(normal(n + 12)), 30 * normal(n + 12)):
                    given = {"x": values, "out": zeros(n + 12), "n": n + 12, "p": 0.5, "q": 2.0}
                    yield kernel, given | {"stream": n % 2}
            elif kind == "tt_binary_args" and not kernel.endswith("_sum_f32"):
                for a_col, b_col in ((1, 1), (1, 0), (0, 1), (0, 0)):
                    given = {"a": normal(3, n), "b": normal(3, n), "out": zeros(3, n), "rows": 3}
                    given |= {"cols": n, "a_row": n, "b_row": n, "a_col": a_col, "b_col": b_col}
                    yield kernel, given | {"p": 0.7, "q": 1.5}
            elif kind == "tt_binary_args":
                given = {"a": normal(1, n), "b": normal(1, n), "out": zeros(1), "rows": 1}
                given |= {"cols": n, "a_row": n, "b_row": n, "a_col": 1, "b_col": 1}
                yield kernel, given | {"p": 0.7, "q": 1.5}
            elif kind == "tt_compare_args":
                given = {"a": x, "b": np.roll(x, 1), "out": np.zeros(n + 12, np.uint8)}
                yield kernel, given | {"n": n + 12, "a_step": 1, "b_step": n % 2}
            elif kind == "tt_where_args":
                given = {"condition": (x > 0).astype(np.uint8), "a": x, "b": -x}
                given |= {"out": zeros(n + 12), "n": n + 12, "a_step": 1, "b_step": n % 2}
                yield kernel, given


def calls_of_reductions() -> Iterator[tuple[str, dict[str, Any]]]:
    for kernel, kind in KERNELS.items():
        for outer, n, stride in ((2, 37, 1), (3, 5, 7), (2, 70, 19), (1, 300, 1)):
            cols = stride
            x = normal(outer, n, stride)
            given: dict[str, Any] = {"x": x, "outer": outer, "n": n, "cols": cols}
            given |= {"stride": stride}
            if kind in ("tt_reduce_args", "tt_arg_args"):
                out = (
                    zeros(outer, cols) if kind == "tt_reduce_args" else np.zeros((outer, cols), int)
                )
                yield kernel, given | {"out": out, "x_outer": n * stride, "out_outer": cols}
            elif kind == "tt_cumsum_args":
                yield kernel, given | {"out": zeros(outer, n, stride), "reverse": n % 2}


def calls_of_copies() -> Iterator[tuple[str, dict[str, Any]]]:
    for rows, cols in ((5, 7), (16, 33), (1, 4)):
        sizes = {"out": zeros(rows, cols), "rows": rows, "cols": cols, "out_step": cols}
        yield "copy_rows_f32", {"x": normal(rows, cols + 3), "x_step": cols + 3} | sizes
        yield "transpose_f32", {"x": normal(cols, rows + 2), "x_step": rows + 2} | sizes


def calls_of_gemm() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, dtype in (("f32", np.float32), ("f64", np.float64)):
        lanes = 16 // np.dtype(dtype).itemsize
        for rows, columns, depth in ((1, 1, 1), (4, 8, 5), (3, 17, 33), (4, 5, 130)):
            a, b = (normal(r, c).astype(dtype) for r, c in ((rows, depth), (depth, columns)))
            given: dict[str, Any] = {"a": a, "b": b, "c": normal(rows, columns).astype(dtype)}
            given |= {"rows": rows, "columns": columns, "depth": depth, "a_row": depth}
            given |= {"a_depth": 1, "b_depth": columns, "b_column": 1, "c_row": columns, "panel": 4}
            bias = {"row_bias": normal(rows).astype(dtype)}
            for more in ({}, {"accumulate": 1}, {"finish": 1, "activation": 1} | bias):
                yield f"gemm_block_{kind}", given | more
            column = {"b": np.ascontiguousarray(b.T), "b_depth": 1, "b_column": depth}
            yield f"gemm_block_{kind}", given | column
            by_rows = {"a": np.ascontiguousarray(a.T), "a_row": 1, "a_depth": rows}
            yield f"gemm_block_{kind}", given | by_rows
            finish = {"c": given["c"], "rows": rows, "columns": columns, "c_row": columns}
            yield f"gemm_finish_{kind}", finish | bias | {"activation": 1}
            padded = (columns + 2 * lanes) // lanes * lanes * depth
            packed: dict[str, Any] = {"x": b, "out": np.zeros(padded, dtype), "width": columns}
            packed |= {"depth": depth, "width_step": 1, "depth_step": columns}
            yield f"gemm_pack_b_{kind}", packed
            packed = {"x": a, "out": np.zeros((rows + 4) * depth, dtype), "width": rows, "panel": 4}
            packed |= {"depth": depth, "width_step": depth, "depth_step": 1}
            yield f"gemm_pack_a_{kind}", packed
            given = {"a": a, "x": normal(2, depth).astype(dtype), "y": np.zeros((2, rows), dtype)}
            given |= {"rows": rows, "depth": depth, "vectors": 2, "x_vector": depth}
            given |= {"y_vector": rows, "a_row": depth, "a_depth": 1}
            yield f"gemv_{kind}", given
            yield f"gemv_{kind}", given | by_rows


def calls_of_conv() -> Iterator[tuple[str, dict[str, Any]]]:
    channels, height, width = 2, 9, 11
    given: dict[str, Any] = {"image": normal(channels, height, width), "patch_row": 99}
    given |= {"patches": normal(18, 99), "taps": 18, "pixels": 99, "height": 9, "width": 11}
    given |= {"out_height": 9, "out_width": 11, "kernel_y": 3, "kernel_x": 3}
    given |= {"stride_y": 1, "stride_x": 1, "dilation_y": 1, "dilation_x": 1, "top": 1, "left": 1}
    given |= {"depth": 1, "kernel_z": 1, "stride_z": 1, "dilation_z": 1}
    strided = {"stride_y": 2, "stride_x": 2, "out_height": 5, "out_width": 6, "pixels": 30}
    strided |= {"patch_row": 30}
    volume = {"image": normal(1, 2, height, width), "depth": 2, "kernel_z": 2, "front": 1}
    for more in ({}, strided, volume, strided | volume):
        yield "conv_patches_f32", given | more
        yield "conv_add_patches_f32", given | more
        yield "conv_panels_f32", given | more | {"patches": zeros(18, 128)}
    for stride in (1, 2):
        pitch, rows = 16, 9
        band = zeros(channels * rows * stride * pitch + 8)
        given = {"image": normal(channels, height, width), "band": band, "channels": channels}
        given |= {"height": height, "width": width, "row": -1, "rows": rows, "left": 1}
        given |= {"depth": 1, "planes": 1, "plane_step": 1}
        yield "direct_band_f32", given | {"stride_x": stride, "pitch": pitch}
        volume = {"channels": 1, "depth": 2, "planes": 2, "plane": 1}
        yield "direct_band_f32", given | {"stride_x": stride, "pitch": pitch} | volume
        given |= {"band": normal(*band.shape), "stride_x": stride, "pitch": pitch}
        yield "direct_unband_f32", given
    offsets = np.array([k * 64 + r * 16 + s for k in range(2) for r in range(3) for s in range(3)])
    for filters, panel in ((1, 1), (4, 4), (3, 4)):
        given = {"band": normal(400), "weight": normal(filters * 18), "offsets": offsets}
        given |= {"taps": 18, "filters": filters, "rows": 2, "width": 13, "row_step": 16}
        forward = {"out": zeros(filters, 26), "panel": panel, "out_plane": 26}
        yield "direct_f32", given | forward | {"bias": normal(filters)}
        yield "direct_f32", given | forward | {"accumulate": 1}
        yield "direct_back_f32", given | {"g": normal(filters, 26), "g_plane": 26}
        del given["weight"]
        sums = {"sums": normal(filters * 18 * 4), "g": normal(filters, 26), "g_plane": 26}
        yield "direct_grad_f32", given | sums
    for stride in (1, 2):
        given = {"band": normal(1600), "rows": 6, "width": 13, "taps": 9, "filters": 1}
        given |= {"offsets": offsets[:9], "row_step": 32 * stride * stride, "stride_3x3": stride}
        yield "direct_f32", given | {"weight": normal(9), "out": zeros(78), "panel": 1}
        yield "direct_grad_f32", given | {"g": normal(78), "sums": normal(36)}
    given = {"image": zeros(9, 11), "band": normal(400), "weight": normal(9), "height": 9}
    yield "direct_gather_f32", given | {"width": 11, "top": 1, "left": 1, "pitch": 24}
    given = {"sums": normal(3, 10, 4), "out": zeros(10), "n": 10, "slices": 3, "slice_step": 40}
    yield "direct_sums_f32", given
    for channels in (3, 8):
        padded = (channels + 3) // 4 * 4
        given = {"planes": normal(channels, 9, 11), "transformed": normal(36, 3, padded)}
        given |= {"channels": channels, "height": 9, "width": 11, "tiles": 3, "tile_step": padded}
        given |= {"point_step": 3 * padded, "odd": np.zeros(1, np.uint8), "plane_step": 99}
        for kernel in ("image", "gradient", "output"):
            corner = {"row": -1, "column": -1} if kernel == "image" else {"row": 4, "column": 0}
            for limit in (1, 9):
                yield f"winograd_{kernel}_f32", given | corner | {"limit": limit}
            half = given["planes"] * (np.arange(11) > 5).astype(np.float32)
            yield f"winograd_{kernel}_f32", given | corner | {"planes": half, "limit": 9}
        yield "winograd_output_f32", given | {"bias": normal(channels)}
    for kernel, backwards in (("taps", 0), ("taps", 1), ("grad_taps", 0)):
        given = {"taps": normal(3, 5, 9), "transformed": normal(36, 5, 4), "filters": 3, "depth": 5}
        given |= {"filter_step": 45, "depth_step": 9, "point_step": 20, "row_step": 4}
        given |= {"largest": zeros(4), "sum": zeros(4)}
        yield f"winograd_{kernel}_f32", given | {"reversed": backwards}


def calls_of_pooling() -> Iterator[tuple[str, dict[str, Any]]]:
    for size, stride, width in ((2, 2, 14), (3, 1, 11), (3, 3, 19)):
        out = (width - size) // stride + 1
        begin = np.arange(out) * stride
        given: dict[str, Any] = {"top": begin, "left": begin, "bottom": begin + size}
        given |= {"right": begin + size, "planes": 2, "height": width, "width": width}
        given |= {"out_height": out, "out_width": out, "step_y": 1, "step_x": 1}
        given |= {"stride_x": stride, "span_x": size, "x": normal(2, width, width)}
        pooled = {"out": zeros(2, out, out)}
        yield "max_pool_f32", given | pooled | {"indices": np.zeros((2, out, out), int)}
        weights = {"weights": normal(out, out)}
        yield "avg_pool_f32", given | pooled | weights
        back = {"x": normal(2, out, out), "out": zeros(2, width, width)}
        yield "avg_pool_grad_f32", given | weights | back
    given = {"x": normal(2, 6), "indices": RNG.integers(0, 20, (2, 6)), "out": zeros(2, 20)}
    yield "scatter_planes_f32", given | {"planes": 2, "picks": 6, "size": 20}


def calls_of_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    for kernel, kind in KERNELS.items():
        for rows, n in ((3, 1), (2, 7), (3, 64), (2, 133)):
            if kind == "tt_softmax_args":
                columns = 7 if "columns" in kernel else 1
                shape = (rows, n, columns)
                given: dict[str, Any] = {"x": 3 * normal(*shape), "g": normal(*shape)}
                given |= {"out": zeros(*shape), "top": 3 + normal(*shape), "rows": rows, "n": n}
                given |= {"sum": 1 + abs(normal(*shape))}
                yield kernel, given | {"columns": columns, "step": columns}
            elif kind == "tt_cross_entropy_args":
                given = {"x": normal(rows, n), "weight": abs(normal(n)), "g": normal(rows)}
                given |= {"target": RNG.integers(0, n, rows), "losses": zeros(rows), "rows": rows}
                given |= {"top": 3 + normal(rows), "sum": 1 + abs(normal(rows)), "classes": n}
                given |= {"dx": zeros(rows, n), "g_step": 1}
                yield kernel, given | {"ignore_index": -100, "smoothing": 0.1, "scale": 0.5}
            elif kind == "tt_layer_norm_args":
                given = {"x": normal(rows, n), "weight": normal(n), "bias": normal(n), "eps": 1e-5}
                given |= {"g": normal(rows, n), "out": zeros(rows, n), "mean": normal(rows) / 9}
                given |= {"rstd": abs(normal(rows)) + 1, "dweight": zeros(n), "dbias": zeros(n)}
                yield kernel, given | {"rows": rows, "n": n}
            elif kind == "tt_group_norm_args":
                given = {"x": normal(rows, 2, n), "g": normal(rows, 2, n), "eps": 1e-5}
                given |= {"out": zeros(rows, 2, n), "weight": normal(6), "bias": normal(6)}
                given |= {"mean": normal(rows) / 9, "rstd": abs(normal(rows)) + 1}
                given |= {"dweight": zeros(rows, 2), "dbias": zeros(rows, 2), "rows": rows}
                yield kernel, given | {"first": 1, "groups": 3, "channels": 2, "space": n}
            elif kind == "tt_batch_norm_args":
                given = {"x": normal(3, rows, n), "g": normal(3, rows, n), "out": zeros(3, rows, n)}
                for name in ("weight", "bias", "mean", "dweight", "dbias"):
                    given[name] = normal(rows)
                given |= {"var": abs(normal(rows)), "rstd": abs(normal(rows)) + 1, "batch": 3}
                given |= {"channels": rows, "space": n, "last": rows, "eps": 1e-5}
                for training in (0, 1):
                    yield kernel, given | {"training": training}


def calls_of_attention() -> Iterator[tuple[str, dict[str, Any]]]:
    for queries, keys, depth in ((1, 1, 1), (5, 70, 16), (40, 33, 20)):
        d, q = (depth + 15) // 16 * 16, (queries + 31) // 32 * 32
        given: dict[str, Any] = {"q": normal(queries, depth), "k": normal(keys, depth)}
        given |= {"v": normal(keys, depth), "queries": queries, "keys": keys, "depth": depth}
        given |= {"q_row": depth, "k_row": depth, "v_row": depth, "out_row": depth, "scale": 0.3}
        given |= {"left": 1 << 30, "right": 1 << 30, "word_row": keys}
        bias = {"bias": normal(queries, keys), "bias_row": keys, "bias_step": 1}
        near = {"left": 9, "right": 0, "softcap": 2.0, "slope": normal(1)}
        dropped = {"dropout_key": 7, "dropout_threshold": 1 << 30, "dropout_scale": 4 / 3}
        for more in ({}, near, bias, dropped):
            out = {"out": zeros(queries, depth), "top": zeros(queries), "sum": zeros(queries)}
            scratch = {"scratch": zeros(2 * 64 * d + 64 * 32 + 2 * q * d + 2 * q)}
            yield "attention_f32", given | more | out | scratch
            size = 5 * 64 * d + 2 * 32 * d + 2 * 32 * 64 + queries
            back: dict[str, Any] = {"out": normal(queries, depth), "g": normal(queries, depth)}
            back |= {"dbias": zeros(queries, keys), "dbias_row": keys, "dbias_step": 1}
            back |= {"dq": zeros(q, d), "dk": zeros(keys, depth), "dv": zeros(keys, depth)}
            back |= {"heads": 1, "last_key": min(keys, 64), "dk_row": depth, "dv_row": depth}
            back |= {"out_row": depth, "g_row": depth}
            scratch = {"scratch": zeros(size), "top": 3 + normal(queries)}
            scratch |= {"sum": 1 + abs(normal(queries))}
            forward = given | more | scratch
            yield "attention_backward_f32", within("forward", forward) | back
    for heads, queries, keys, depth in ((1, 1, 1, 1), (3, 2, 70, 20)):
        given = {"q": normal(heads, queries, depth), "k": normal(keys, depth)}
        given |= {"v": normal(keys, depth), "out": zeros(heads, queries, depth)}
        given |= {"heads": heads, "queries": queries, "depth": depth, "start": keys - queries}
        given |= {"last_key": keys, "q_head": queries * depth, "q_row": depth, "scale": 0.3}
        given |= {"k_row": depth, "v_row": depth, "out_head": queries * depth, "out_row": depth}
        yield "cached_attention_f32", given
    indices = RNG.integers(0, 9, 20)
    for n in (1, 4, 13):
        given = {"indices": indices, "rows": 20, "n": n, "last": 9}
        yield "embedding_f32", given | {"weight": normal(9, n), "out": zeros(20, n)}
        yield "embedding_backward_f32", given | {"g": normal(20, n), "out": zeros(9, n)}
        given = {"x": normal(n), "out": zeros(n), "n": n, "first": 8, "key": 99, "scale": 2.0}
        yield "dropout_f32", given | {"threshold": 1 << 31}


def calls_of_transformers() -> Iterator[tuple[str, dict[str, Any]]]:
    for pairs, interleaved in ((1, 0), (5, 1), (70, 0), (70, 1)):
        depth = 2 * pairs + 3
        given: dict[str, Any] = {"x": normal(2, 3, depth), "frequencies": normal(pairs)}
        given |= {"positions": np.array([0, 5, 900]), "out": zeros(2, 3, depth), "heads": 2}
        given |= {"steps": 3, "depth": depth, "pairs": pairs, "x_head": 3 * depth, "x_step": depth}
        given |= {"out_head": 3 * depth, "scale": 0.7, "sine_scale": -0.7}
        yield "rotary_f32", given | {"interleaved": interleaved}
    for kernel, kind in KERNELS.items():
        for n in (1, 7, 31):
            if kind == "tt_gated_args":
                given = {name: normal(2, n) for name in ("gate", "up", "g")}
                given |= {"dgate": zeros(2, n), "dup": zeros(2, n), "rows": 2, "cols": n}
                yield kernel, given | {"gate_row": n, "up_row": n, "g_row": n}


def calls_of_packed() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, (block, size) in enumerate(PACKED_KINDS.values()):
        rows, columns = 6, block if block > 1 else 37
        blocks = RNG.integers(0, 0x3C, (rows, columns // block * size), np.uint8)  # none is NaN
        given: dict[str, Any] = {"blocks": blocks, "scales": normal(rows), "columns": columns}
        given |= {"row_bytes": blocks.shape[1], "last": rows, "kind": kind, "x_row": columns}
        out = {"out": zeros(rows, columns), "out_row": columns}
        yield "packed_unpack_f32", given | out
        for vectors in (1, 5):
            more = {"x": normal(vectors, columns), "bias": normal(rows), "vectors": vectors}
            more |= {"out": zeros(vectors, rows), "out_row": rows}
            yield "packed_rows_f32", given | more


def calls_of_recurrent() -> Iterator[tuple[str, dict[str, Any]]]:
    rows = 3
    for n in (1, 7, 16):
        lstm: dict[str, Any] = {name: normal(rows, n) for name in ("c", "gh", "gc")}
        lstm |= {name: zeros(rows, n) for name in ("h_next", "c_next", "dc")}
        lstm |= {"gates": normal(rows, 4 * n), "dgates": zeros(rows, 4 * n)}
        gru: dict[str, Any] = {name: normal(rows, 3 * n) for name in ("x_gates", "h_gates")}
        gru |= {"h": normal(rows, n), "g": normal(rows, n), "h_next": zeros(rows, n)}
        gru |= {"dx_gates": zeros(rows, 3 * n), "dh_gates": zeros(rows, 3 * n)}
        gru |= {"dh": zeros(rows, n)}
        sizes = {"rows": rows, "hidden": n}
        for way in ("", "_backward"):
            yield f"lstm_cell{way}_f32", lstm | sizes
            yield f"gru_cell{way}_f32", gru | sizes
    yield from calls_of_steps()


def calls_of_steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Weights of all sizes that a step may read; operands in one block of the depth."""
    batch, n, inputs, vectors = 3, 7, 5, 8
    for gates in (1, 3, 4):
        for backward in (0, 1):
            given: dict[str, Any] = {"weight": normal(gates * n, n), "gates": gates, "hidden": n}
            given |= {"input_weight": normal(gates * n, inputs), "inputs": inputs, "groups": 1}
            yield "step_pack_f32", given | {"out": zeros(4096), "backward": backward}
        names = {1: "rnn", 3: "gru", 4: "lstm"}
        product = {"weights": normal(8192), "operand": normal(batch * 144)}
        product |= {"next": zeros(batch * 144 * 2), "operand_rows": batch, "rows": batch - 1}
        common = {**within("product", product), "batch": batch, "hidden": n, "rows": batch}
        common |= {"units": n, "gate_count": gates}
        common |= {name: normal(batch, n) for name in ("h_before", "c_before", "h_start")}
        common["known"] = batch - 1
        made = {"gates": zeros(batch, gates * n), "inner": zeros(batch, n)}
        made |= {"h": zeros(batch, n), "c": zeros(batch, n)}
        forward = {"input": normal(batch, gates * n), "input_row": gates * n}
        forward |= {"inner_bias": normal(n)}
        call = common | made | within("forward", forward)
        yield f"{names[gates]}_step_f32", call
        yield f"{names[gates]}_step_f32", call | {"relu": 1}
        made = {"gates": abs(normal(batch, gates * n)), "inner": normal(batch, n)}
        made |= {"h": normal(batch, n), "c": normal(batch, n)}
        back = {"g": normal(batch, n), "g_last": normal(batch, n), "carry": normal(batch, n)}
        back |= {"dgates": zeros(batch, gates * n), "dinner": zeros(batch, n)}
        back |= {"dh0": zeros(batch, n)}
        call = common | made | within("backward", back)
        yield f"{names[gates]}_step_backward_f32", call
        yield "step_state_backward_f32", call | {"backward.adds_carry": 1}
    given = {"operand": normal(9, 144), "sums": normal(144), "rows": vectors, "depth": 3}
    yield "step_bias_f32", given | {"accumulate": 1}


def calls_of_optim() -> Iterator[tuple[str, dict[str, Any]]]:
    for n in (1, 4, 23):
        given: dict[str, Any] = {"p": normal(n), "b": normal(n), "g": normal(n), "n": n, "lr": 0.1}
        given |= {"momentum": 0.9, "undamped": 1.0, "weight_decay": 0.01}
        for more in ({}, {"nesterov": 1}, {"maximize": 1}, {"first": 1}):
            yield "sgd_f32", given | more
        given = {name: normal(n) for name in ("p", "m", "g")}
        given |= {name: abs(normal(n)) for name in ("v", "v_max")}
        given |= {"n": n, "one_minus_beta1": 0.1, "beta2": 0.999, "one_minus_beta2": 0.001}
        given |= {"eps": 1e-8, "step_size": 0.01, "root_correction": 0.5, "shrink": 0.99}
        yield "adam_f32", given
        yield "adam_f32", given | {"maximize": 1, "weight_decay": 0.1}
        given = {"p": normal(n), "m": normal(n), "g": normal(n), "n": n, "shrink": 0.9}
        given |= {"one_minus_beta1": 0.1, "one_minus_beta2": 0.01, "lr": 0.1}
        yield "lion_f32", given
        yield "lion_f32", given | {"maximize": 1}
        given = {"p": normal(n), "v": abs(normal(n)), "g": normal(n), "n": n, "shrink": 0.9}
        given |= {"keep": 0.9, "take": 0.1, "root_correction": 0.5, "eps": 1e-8, "lr": 0.1}
        given |= {"of_g": 1, "one_minus_beta1": 0.1}
        yield "adaptive_f32", given
        more = {"m": normal(n), "b": normal(n), "a": normal(n) / 99, "of_m": 0.5, "momentum": 0.9}
        yield "adaptive_f32", given | more | {"weight_decay": 0.1, "v": 1 + abs(normal(n))}
        yield "adaptive_f32", given | {"maximize": 1, "plain": 1}


def calls_of_ctc() -> Iterator[tuple[str, dict[str, Any]]]:
    steps, classes = 9, 5
    for count in (1, 3):
        length = 2 * count + 1
        labels = np.zeros(length, np.int64)
        labels[1::2] = RNG.integers(1, classes, count)
        scores = normal(steps, classes)
        row = (length + 15) // 16 * 16
        given: dict[str, Any] = {"labels": labels, "alpha": zeros(steps, row), "loss": zeros(1)}
        given |= {"log_probs": scores - np.log(np.exp(scores).sum(-1, keepdims=True))}
        given |= {"shifts": np.zeros(steps), "scratch": zeros(4 * (row + 32)), "row": classes}
        given |= {"classes": classes, "all_steps": steps, "steps": steps, "alpha_row": row}
        given |= {"length": length, "g": 0.7}
        yield "ctc_loss_f32", given
        reached = {"alpha": -abs(normal(steps, row)), "dx": zeros(steps, classes)}
        yield "ctc_loss_backward_f32", given | reached | {"loss": 9 + abs(normal(1))}


FAMILIES = {
    name.removeprefix("calls_of_"): function
    for name, function in list(globals().items())
    if name.startswith("calls_of_") and name != "calls_of_steps"
}

# Not compared: what measures the machine, and what the tests of layers alone can lay out.
LEFT_OUT = {"fma_peak_f32", "stream_read_f32", "stream_triad_f32"}
LEFT_OUT |= {"step_operand_f32", "step_inputs_backward_f32"}
LEFT_OUT |= {"decode_f32"}  # its arrays are in a struct of their own; what it calls is compared


# --- Both drivers ----------------------------------------------------------------------------


def drivers(folder: Path) -> dict[str, list[str]]:
    """Commands that run the kernels of an instruction set."""
    jobs = []
    for isa, compiler in (("baseline", ["gcc"]), ("neon", [CROSS, "-static"])):
        source = Path(__file__).with_name("driver.c")
        command = [*compiler, *FLAGS, f"-DTABLE=tt_kernels_{isa}", source, f"csrc/isa/{isa}.c"]
        command += ["-Wall", "-Wextra", "-Werror", "-o", folder / isa, "-lm"]
        jobs.append(subprocess.Popen(command, cwd=ROOT))
    assert [job.wait() for job in jobs] == [0, 0]
    return {"baseline": [str(folder / "baseline")], "neon": [EMULATOR, str(folder / "neon")]}


def test_every_kernel_is_called() -> None:
    called = {kernel for calls in FAMILIES.values() for kernel, _ in calls()}
    assert called == set(KERNELS) - LEFT_OUT


def test_neon_agrees(tmp_path: Path) -> None:
    commands = drivers(tmp_path)
    for family in FAMILIES:
        compare(commands, family)


def compare(commands: dict[str, list[str]], family: str) -> None:
    """The same calls by both: what is in the buffers afterwards."""
    calls = [(kernel, *message(kernel, given)) for kernel, given in FAMILIES[family]()]
    sent = b"".join(data for _, data, _ in calls)
    answers = {}
    for isa, command in commands.items():
        done = subprocess.run(command, input=sent, capture_output=True, timeout=240)
        assert done.returncode == 0, (isa, done.returncode, done.stderr.decode())
        answers[isa] = done.stdout
    at = 0
    for i, (kernel, _, buffers) in enumerate(calls):
        for before in buffers:
            ours, theirs = (
                np.frombuffer(answers[isa], before.dtype, before.size, at)
                for isa in ("neon", "baseline")
            )
            at += before.nbytes
            if before.dtype.kind != "f":
                assert (ours == theirs).all(), (kernel, i)
                continue
            # The shifts of CTC are sums in double, of float32 values.
            eps = np.finfo(np.float32 if kernel.startswith("ctc_") else before.dtype).eps
            size = abs(theirs[np.isfinite(theirs)]).max(initial=1)
            size = min(size, 1e3)  # of maps of extremes each element has its own
            np.testing.assert_allclose(
                ours, theirs, rtol=32 * eps, atol=32 * eps * size, err_msg=f"{kernel}, call {i}"
            )
    assert at == len(answers["neon"]) == len(answers["baseline"])
