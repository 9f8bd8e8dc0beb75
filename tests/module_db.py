"""PyTorch's own database of modules, asked of us: its sample inputs, forward and gradients.

``python -m tests.module_db`` runs all of it and prints how many entries agree; names behind it run
these alone, and say what is wrong. ``--write`` makes the table of the documents.
``tests/table/module_db.py`` says why an entry does not agree.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tinytensor as tt

from .op_db import (
    AGREES,
    GRADIENT,
    MISSING,
    REFUSES,
    VALUE,
    Different,
    Outcome,
    array_of,
    as_numbers,
    compare,
    drawn,
    flat,
    ours,
    tensors_of,
)
from .table.module_db import DRAWING, GRADIENTS, REASONS, TOLERANCES, WHY

PAGE = Path(__file__).parent.parent / "docs" / "from_pytorch_modules.md"
TOLERANCE = {"float64": 1e-8, "float32": 3e-5}
SAMPLES = 8  # of an entry, a dtype and a mode, unless all are asked for


def entries() -> dict[str, Any]:
    """The entries of the database by name. Loading them takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db

    return {entry.name.removeprefix("nn."): entry for entry in module_db}


def samples_of(entry: Any, dtype: Any, training: bool, all_of_them: bool) -> Iterator[Any]:
    import torch

    torch.manual_seed(0)
    made = entry.module_inputs_func(
        entry, device="cpu", dtype=dtype, requires_grad=True, training=training
    )
    step = 1 if all_of_them else max(len(made) / SAMPLES, 1)
    for i in range(int(len(made) / step)):
        yield made[int(i * step)]


def try_sample(entry: Any, name: str, sample: Any, dtype: Any, training: bool) -> None:
    """Raise Different if our state, value or gradient is another; what we raise goes through."""
    import torch

    kind = str(dtype).removeprefix("torch.")
    tolerance = TOLERANCES.get(name, {}).get(kind, TOLERANCE[kind])
    made = sample.constructor_input
    torch.manual_seed(0)
    args, kwargs = copy.deepcopy((made.args, made.kwargs))
    theirs = entry.module_cls(*args, **kwargs).to(dtype).train(training)
    layer = getattr(tt.nn, name)(*constructed(made.args), **constructed(made.kwargs))
    layer.to(dtype=kind).train(training)
    given = (sample.forward_input.args, sample.forward_input.kwargs)
    mine = once(given, {})
    with torch.no_grad():  # lazy modules learn their sizes
        if entry.is_lazy:
            theirs(*given[0], **given[1])
            layer(*mine[0], **mine[1])
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    if list(layer.state_dict()) != list(state):
        raise Different(VALUE, f"keys {list(layer.state_dict())}, PyTorch {list(state)}")
    layer.load_state_dict({key: value.copy() for key, value in state.items()})
    wanted_repr = repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    if repr(layer) != wanted_repr:
        raise Different(VALUE, f"{layer!r}, PyTorch {wanted_repr}")
    results, got = flat(theirs(*given[0], **given[1])), flat(layer(*mine[0], **mine[1]))
    if name in DRAWING:
        shapes = [x.shape for x in results], [x.shape for x in got]
        if [tuple(s) for s in shapes[0]] != [tuple(s) for s in shapes[1]]:
            raise Different(VALUE, f"shapes {shapes[1]}, PyTorch {shapes[0]}")
        return
    pairs = []
    for place, (a, b) in enumerate(zip(got, results, strict=True)):
        if b is None:
            if a is not None:
                raise Different(VALUE, f"output {place} is not None")
            continue
        compare(VALUE, f"output {place}", as_numbers(a), as_numbers(b), tolerance, 1e-30)
        if b.requires_grad:
            pairs.append((a, b))
    for key, buffer in theirs.named_buffers():
        numbers = layer.get_buffer(key).numpy(), array_of(buffer)
        compare(VALUE, f"buffer {key}", *numbers, tolerance, 1.0)
    wanting = [
        (f"argument {i}", a, b)
        for i, (a, b) in enumerate(
            zip(tensors_of(mine, tt.Tensor), tensors_of(given, torch.Tensor), strict=True)
        )
        if b.requires_grad
    ]
    own = dict(layer.named_parameters())
    wanting += [(key, own[key], b) for key, b in theirs.named_parameters() if b.requires_grad]
    if not pairs or not wanting:
        return
    rng = np.random.default_rng(0)
    cotangents = [drawn(rng, as_numbers(a)) for a, _ in pairs]
    wanted = torch.autograd.grad(
        [b for _, b in pairs],
        [b for *_, b in wanting],
        [torch.from_numpy(c) for c in cotangents],
        allow_unused=True,
    )
    found = tt.grad(
        [a for a, _ in pairs],
        [a for _, a, _ in wanting],
        [tt.Tensor(c) for c in cotangents],
        allow_unused=True,
    )
    for (what, a, b), mine_of, theirs_of in zip(wanting, found, wanted, strict=True):
        numbers = [
            np.zeros_like(a.numpy()) if g is None else as_numbers(g) for g in (mine_of, theirs_of)
        ]
        counts = GRADIENTS.get(name)
        if counts is not None:
            numbers = [counts(g, b) for g in numbers]
        compare(GRADIENT, f"gradient of {what}", *numbers, 10 * tolerance, 1.0)


def once(value: Any, made: dict[int, Any]) -> Any:
    """A sample's arguments as ours; a tensor that is given twice is one tensor."""
    import torch

    if isinstance(value, torch.Tensor):
        return made.setdefault(id(value), ours(value))
    if isinstance(value, tuple | list):
        return type(value)(once(one, made) for one in value)
    if isinstance(value, dict):
        return {key: once(one, made) for key, one in value.items()}
    return ours(value)


def constructed(value: Any) -> Any:
    """What a constructor is given, as a user of ours writes it."""
    import torch

    if isinstance(value, torch.Tensor):
        return tt.Tensor(array_of(value).copy())
    if isinstance(value, tuple | list):
        return type(value)(map(constructed, value))
    if isinstance(value, dict):
        return {key: constructed(one) for key, one in value.items()}
    if isinstance(value, torch.nn.Module):
        inner = getattr(tt.nn, type(value).__name__)
        if isinstance(value, torch.nn.TransformerEncoderLayer):
            attention = value.self_attn
            return inner(
                attention.embed_dim,
                attention.num_heads,
                value.linear1.out_features,
                value.dropout.p,
                value.activation.__name__,
                batch_first=attention.batch_first,
                norm_first=value.norm_first,
                bias=attention.in_proj_bias is not None,
            )
        return inner()
    if callable(value) and not isinstance(value, torch.dtype):  # an activation
        return getattr(tt.nn.functional, value.__name__)
    return ours(value)


def outcome(name: str, entry: Any, all_of_them: bool = False) -> Outcome:
    """The worst of what becomes of the entry's samples, and of which one first."""
    import torch

    try:
        found = getattr(tt.nn, name, None)
    except AttributeError:
        found = None
    if found is None:
        return Outcome(name, MISSING)
    worst = Outcome(name, AGREES)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for dtype in (torch.float64, torch.float32):
            for training in (True, False):
                for i, sample in enumerate(samples_of(entry, dtype, training, all_of_them)):
                    what = f"{dtype}, sample {i} {sample.desc!r}, training {training}"
                    try:
                        try_sample(entry, name, sample, dtype, training)
                    except Different as different:
                        return Outcome(name, different.state, f"{what}: {different}")
                    except Exception as error:
                        what = f"{what}: {type(error).__name__}: {error}"
                        worst = worst if worst.state == REFUSES else Outcome(name, REFUSES, what)
    return worst


def main(arguments: list[str]) -> None:
    found = entries()
    names = [one for one in arguments if not one.startswith("--")]
    outcomes = []
    for name in names or found:
        one = outcome(name, found[name], bool(names) or "--all" in arguments)
        outcomes.append(one)
        if one.state not in (AGREES, MISSING):
            print(f"{one.name}: {one.state}: {one.detail}"[:700], flush=True)
    print(f"missing: {' '.join(one.name for one in outcomes if one.state == MISSING)}")
    print(Counter(one.state for one in outcomes))
    agreeing = {one.name for one in outcomes if one.state == AGREES}
    unsaid = [o.name for o in outcomes if o.name not in agreeing | REASONS.keys()]
    print(f"without a reason: {' '.join(unsaid)}")
    print(f"agree, but have a reason: {' '.join(sorted(agreeing & REASONS.keys()))}")
    if "--write" in arguments:
        PAGE.write_text(page(len(found)))


def page(count: int) -> str:
    """The page of the documents: why entries do not agree, of ``count`` that there are."""
    lines = [
        "# PyTorch's database of modules",
        "",
        "PyTorch tests its modules by a database of them",
        "(`torch.testing._internal.common_modules.module_db`). `tests/nn/test_module_db.py` asks",
        "the same of us: for each set of arguments the keys of the state, the representation,",
        "values, buffers, and the gradients of inputs and parameters, in float64 and float32, in",
        "training and outside.",
        "",
    ]
    if not REASONS:
        return "\n".join([*lines, f"All of its {count} entries agree."]) + "\n"
    lines += [
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
