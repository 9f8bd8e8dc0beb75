"""PyTorch's own database of operations, asked of us: its sample inputs, forward and gradients.

``python -m tests.op_db`` runs all of it and prints how many entries agree; names behind it run
these alone, with all samples, and say what is wrong. ``--write`` makes the table of the documents.
``tests/table/op_db.py`` says what our side of an entry is, where the name does not say it.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import tinytensor as tt

from .table.op_db import (
    COUNTERPARTS,
    DROPOUT_AT,
    GRADIENTS,
    MADE_HERMITIAN,
    NAMES,
    NOT_COMPARED,
    REASONS,
    SHAPES_ALONE,
    TOLERANCES,
    WHY,
)

PAGE = Path(__file__).parent.parent / "docs" / "from_pytorch_ops.md"
AGREES, VALUE, GRADIENT, REFUSES, MISSING = (
    "agrees",
    "wrong value",
    "wrong gradient",
    "refuses a sample",
    "missing",
)
WRONG = (VALUE, GRADIENT)
SAMPLES = 6  # of an entry and a dtype, unless all are asked for
DRAWN = 60  # among the first so many
# Of the largest element. The samples are small; float32 has 24 bits.
TOLERANCE = {"float64": 1e-8, "float32": 3e-5, "complex128": 1e-8, "int64": 0.0}
# What says where or how PyTorch is to lay out memory; there is one way here.
PLACES = ("device", "layout", "pin_memory", "memory_format", "non_blocking")


@dataclass(frozen=True)
class Outcome:
    """What became of an entry, and of which sample."""

    name: str
    state: str
    detail: str = ""


def name_of(entry: Any) -> str:
    variant = entry.variant_test_name
    return f"{entry.name}.{variant}" if variant else str(entry.name)


def entries() -> dict[str, Any]:
    """The entries of the database by name. Loading them takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db

    return {name_of(entry): entry for entry in op_db}


# --- Our side --------------------------------------------------------------------------------


def counterpart(entry: Any) -> Callable[..., Any] | None:
    """What here has the entry's name: a function of its namespace, of ours, or a method."""
    given = COUNTERPARTS.get(name_of(entry))
    if given is not None:
        return given
    *spaces, name = entry.name.split(".")
    name = NAMES.get(name_of(entry), name)
    space: Any = tt
    for part in spaces:
        space = getattr(space, part, None)
    for home in (space, tt) if spaces in ([], ["nn", "functional"], ["special"]) else (space,):
        found = _attribute(home, name)
        if found is not None:
            return found
    return None if spaces else _attribute(tt.Tensor, name)


def _attribute(home: Any, name: str) -> Callable[..., Any] | None:
    try:
        found = getattr(home, name, None)
    except Exception:  # an answer that tells the way, not a function
        return None
    return found if callable(found) and not isinstance(found, type) else None


def ours(value: Any) -> Any:
    """A sample's argument as a user of ours writes it."""
    import torch

    if isinstance(value, torch.Tensor):
        return tt.Tensor(array_of(value).copy(), requires_grad=value.requires_grad)
    if isinstance(value, torch.dtype):
        return np.dtype(str(value).removeprefix("torch."))
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple | list):
        return type(value)(map(ours, value))
    if isinstance(value, dict):
        return {k: ours(v) for k, v in value.items() if k not in PLACES}
    return value


def array_of(value: Any) -> np.ndarray:
    return value.detach().resolve_conj().resolve_neg().numpy(force=True)


def flat(results: Any) -> list[Any]:
    """The tensors of a result, and its numbers as they are."""
    if isinstance(results, tuple | list):
        return [one for result in results for one in flat(result)]
    return [results]


def as_numbers(result: Any) -> np.ndarray:
    if isinstance(result, tt.Tensor):
        return result.numpy()
    return array_of(result) if hasattr(result, "resolve_conj") else np.asarray(result)


# --- One sample ------------------------------------------------------------------------------


class Different(Exception):
    def __init__(self, state: str, detail: str) -> None:
        super().__init__(detail)
        self.state = state


def tensors_of(value: Any, kind: type) -> list[Any]:
    if isinstance(value, kind):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [one for part in value for one in tensors_of(part, kind)]
    return []


def compare(
    state: str, what: str, got: np.ndarray, wanted: np.ndarray, tolerance: float, least: float
) -> None:
    """``tolerance`` is of the largest element, or of ``least`` where that is more."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        raise Different(
            state, f"{what}: {got.dtype}{got.shape}, PyTorch {wanted.dtype}{wanted.shape}"
        )
    finite = wanted[np.isfinite(wanted)] if wanted.dtype.kind in "fc" else wanted
    scale = np.abs(finite).max(initial=0) if wanted.dtype.kind in "fc" else 0
    if not np.allclose(got, wanted, rtol=0, atol=tolerance * max(scale, least), equal_nan=True):
        raise Different(state, f"{what}: {got.tolist()!r:.200}, PyTorch {wanted.tolist()!r:.200}")


def try_sample(entry: Any, call: Callable[..., Any], sample: Any, tolerance: float) -> None:
    """Raise Different if our value or gradient is another; what we raise goes through."""
    import torch

    name = name_of(entry)
    if name in MADE_HERMITIAN:
        x = sample.input.detach()
        sample.input = ((x + x.mH) / 2).requires_grad_(sample.input.requires_grad)
    drawing = name in SHAPES_ALONE or sample.kwargs.get("dropout_p", 0) > 0
    drawing |= name in DROPOUT_AT and sample.args[DROPOUT_AT[name]] > 0
    given = ours([sample.input, sample.args, sample.kwargs])
    process = sample.output_process_fn_grad
    results = process(entry.op(sample.input, *sample.args, **sample.kwargs))
    got = process(call(given[0], *given[1], **given[2]))
    results, got = flat(results), flat(got)
    if len(got) != len(results):
        raise Different(VALUE, f"{len(got)} results, PyTorch {len(results)}")
    for place, (mine, theirs) in enumerate(zip(got, results, strict=True)):
        if (name, place) not in NOT_COMPARED:
            numbers = as_numbers(mine), as_numbers(theirs)
            if drawing:
                numbers = np.zeros_like(numbers[0]), np.zeros_like(numbers[1])
            compare(VALUE, f"output {place}", *numbers, tolerance, 1e-30)
    if not entry.supports_autograd or drawing:
        return
    pairs = [
        (mine, theirs)
        for mine, theirs in zip(got, results, strict=True)
        if isinstance(theirs, torch.Tensor) and theirs.requires_grad
    ]
    wanting = [
        (mine, theirs)
        for mine, theirs in zip(
            tensors_of(given, tt.Tensor),
            tensors_of([sample.input, sample.args, sample.kwargs], torch.Tensor),
            strict=True,
        )
        if theirs.requires_grad
    ]
    if not pairs or not wanting:
        return
    rng = np.random.default_rng(0)
    cotangents = [drawn(rng, as_numbers(mine)) for mine, _ in pairs]
    expected = torch.autograd.grad(
        [theirs for _, theirs in pairs],
        [theirs for _, theirs in wanting],
        [torch.from_numpy(c) for c in cotangents],
        allow_unused=True,
    )
    tracked = [
        (mine, tt.Tensor(c))
        for (mine, _), c in zip(pairs, cotangents, strict=True)
        if is_tracked(mine)
    ]
    inputs = [mine for mine, _ in wanting]
    found = (None,) * len(inputs)
    if tracked:
        found = tt.grad([y for y, _ in tracked], inputs, [g for _, g in tracked], allow_unused=True)
    for place, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        shape_of = as_numbers(wanting[place][0])
        numbers = [np.zeros_like(shape_of) if g is None else as_numbers(g) for g in (mine, theirs)]
        counts = GRADIENTS.get(name)
        if counts is not None:
            numbers = [counts(g, place, sample) for g in numbers]
        compare(GRADIENT, f"gradient {place}", *numbers, 10 * tolerance, 1.0)


def is_tracked(result: Any) -> bool:
    """Whether it depends on what wants a gradient, where we see it: zeros otherwise."""
    return isinstance(result, tt.Tensor) and result.requires_grad


def drawn(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    draw = rng.normal(size=like.shape)
    if like.dtype.kind == "c":
        draw = draw + 1j * rng.normal(size=like.shape)
    return np.asarray(draw, like.dtype)


# --- An entry --------------------------------------------------------------------------------


def samples_of(entry: Any, dtype: Any, all_of_them: bool) -> list[Any]:
    import torch

    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 the samples are drawn by it
    random.seed(0)
    wants = entry.supports_autograd and (dtype.is_floating_point or dtype.is_complex)
    made: Iterator[Any] = iter(entry.sample_inputs("cpu", dtype, requires_grad=wants))
    if all_of_them:
        return list(made)
    first = list(islice(made, DRAWN))
    step = max(len(first) / SAMPLES, 1)
    return [first[int(i * step)] for i in range(min(SAMPLES, len(first)))]


def dtypes_of(entry: Any) -> list[Any]:
    import torch

    wanted = [torch.float64, torch.float32, torch.complex128]
    return [d for d in wanted if d in entry.dtypes] or [torch.int64]


def outcome(entry: Any, all_of_them: bool = False) -> Outcome:
    """The worst of what becomes of the entry's samples, and of which one first."""
    name, call = name_of(entry), counterpart(entry)
    if call is None:
        return Outcome(name, MISSING)
    tolerances = TOLERANCES.get(name, {})
    worst = Outcome(name, AGREES)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for dtype in dtypes_of(entry):
            kind = str(dtype).removeprefix("torch.")
            for sample in samples_of(entry, dtype, all_of_them):
                try:
                    try_sample(entry, call, sample, tolerances.get(kind, TOLERANCE[kind]))
                except Different as different:
                    what = f"{kind}, {said(sample)}: {different}"
                    return Outcome(name, different.state, what)
                except Exception as error:
                    what = f"{kind}, {said(sample)}: {type(error).__name__}: {error}"
                    worst = worst if worst.state == REFUSES else Outcome(name, REFUSES, what)
    return worst


def said(sample: Any) -> str:
    import torch

    def short(value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
        if isinstance(value, tuple | list):
            return f"({', '.join(map(short, value))})"
        return repr(value)

    rest = [short(value) for value in (sample.input, *sample.args)]
    return ", ".join([*rest, *(f"{k}={short(v)}" for k, v in sample.kwargs.items())])


def main(arguments: list[str]) -> None:
    found = entries()
    write = "--write" in arguments
    everything = "--all" in arguments
    names = [one for one in arguments if not one.startswith("--")]
    outcomes = []
    for name in names or found:
        one = outcome(found[name], bool(names) or everything)
        outcomes.append(one)
        if one.state not in (AGREES, MISSING):
            print(f"{one.name}: {one.state}: {one.detail}"[:1000], flush=True)
    missing = [one.name for one in outcomes if one.state == MISSING]
    print(f"missing: {' '.join(missing)}")
    print(Counter(one.state for one in outcomes))
    unsaid = [o.name for o in outcomes if o.state != AGREES and o.name not in REASONS]
    print(f"without a reason: {' '.join(unsaid)}")
    agreeing = {one.name for one in outcomes if one.state == AGREES}
    print(f"agree, but have a reason: {' '.join(sorted(agreeing & REASONS.keys()))}")
    if write:
        PAGE.write_text(page(len(found)))


def page(count: int) -> str:
    """The page of the documents: why entries do not agree, of ``count`` that there are."""
    lines = [
        "# PyTorch's database of operations",
        "",
        "PyTorch tests its operations by a database of them",
        "(`torch.testing._internal.common_methods_invocations.op_db`). `tests/ops/test_op_db.py`",
        "asks the same of us: sample inputs in float64, float32 and complex128, values and",
        "gradients. An entry's counterpart is what has its name here, or what",
        "`tests/table/op_db.py` says. Of what is drawn, shapes and dtypes are compared.",
        "",
        f"Of {count} entries {count - len(REASONS)} agree and none is wrong. The others:",
        "",
        "| entries | why |",
        "| --- | --- |",
    ]
    for reason, names in WHY.items():
        lines.append(f"| {', '.join(f'`{name}`' for name in names.split())} | {reason} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
