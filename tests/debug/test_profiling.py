"""profile: what it counts, for whom, and what it writes."""

from __future__ import annotations

import gc
import json

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.debug.limits import Limits
from tinytensor.debug.profiling import OUTSIDE, Row

pytestmark = pytest.mark.no_c


def small_net() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16, bias=False), nn.Tanh(), nn.Linear(16, 1, bias=False))


def by_name(timing, by="op"):
    return {row.name: row for row in timing.rows(by)}


def test_calls_operations_and_bytes() -> None:
    a, b = tt.ones(4, 5), tt.ones(5, 6)
    with tt.profile() as timing:
        for _ in range(3):
            product = a @ b
        _ = product[1:]
        _ = product + 1.0
    rows = by_name(timing)
    assert rows["matmul"].calls == 3
    assert rows["matmul"].flops == 3 * 2 * 4 * 5 * 6
    assert rows["matmul"].bytes == 3 * 4 * (4 * 5 + 5 * 6 + 4 * 6)
    assert rows["add"].bytes == 4 * 2 * 24
    assert rows["add"].flops == 0
    assert rows["basic_index"].bytes == 0  # a view moves nothing
    assert sum(row.seconds for row in rows.values()) == pytest.approx(timing.seconds)
    assert all(row.seconds >= 0 for row in rows.values())


def test_nothing_is_noted_outside() -> None:
    x = tt.ones(3)
    with tt.profile() as timing:
        x.exp()
    x.exp()
    assert by_name(timing)["exp"].calls == 1
    with timing:  # and it goes on where it is opened again
        x.exp()
    assert by_name(timing)["exp"].calls == 2


def test_modules_hold_their_parts_and_backward_counts_for_who_called() -> None:
    model = small_net()
    with tt.profile(model) as timing:
        loss = model(tt.ones(4, 8)).sum()
        loss.backward()
    rows = by_name(timing, "module")
    forward = 2 * (4 * 8 * 16 + 4 * 16)
    assert rows["Sequential"].flops == forward
    assert rows["Sequential.0"].flops == 2 * 4 * 8 * 16
    assert rows["Sequential.2"].flops == 2 * 4 * 16
    assert rows["Sequential.1"].flops == 0
    # the input needs no gradient: one product for the first layer, two for the last
    assert rows["Sequential.0 (backward)"].flops == 2 * 4 * 8 * 16
    assert rows["Sequential.2 (backward)"].flops == 2 * (2 * 4 * 16)
    assert rows["Sequential.1 (backward)"].calls > 0
    assert rows["(no module)"].calls == 1  # the sum
    whole = sum(rows[name].seconds for name in rows if "." not in name)
    assert whole == pytest.approx(timing.seconds)


def test_hooks_go_with_the_context() -> None:
    model = small_net()
    with tt.profile(model):
        model(tt.ones(1, 8))
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())


def test_lines() -> None:
    with tt.profile() as timing:
        x = tt.ones(3).exp()
        _ = x * 2
    rows = [row for row in timing.rows("line") if row.name != OUTSIDE]
    assert any("tt.ones(3).exp()" in row.name for row in rows)
    assert any("x * 2" in row.name for row in rows)


def test_an_error_inside_leaves_the_rest_right() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    with tt.profile(model) as timing:
        for _ in range(2):
            with pytest.raises(tt.ShapeError):
                model(tt.ones(1, 4))
        with pytest.raises(tt.ShapeError):
            tt.ones(2, 3) @ tt.ones(2, 3)
        x = tt.ones(3, requires_grad=True)
        x.register_hook(lambda g: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            (x * 2).sum().backward()
        _ = tt.ones(3) + 1.0
    last = timing.calls[-1]
    assert (last.name, last.module, last.backward) == ("add", "", False)


def test_it_keeps_no_graph_alive() -> None:
    x = tt.ones(1000, 1000, requires_grad=True)
    with tt.profile() as timing:
        y = (x * 2).exp().sum()
        held = tt.saved_memory(y).total
        del y
    gc.collect()
    assert held > 0
    assert not timing._owners


def test_a_trace_is_read_by_its_viewers(tmp_path) -> None:
    model = small_net()
    with tt.profile(model) as timing:
        model(tt.ones(4, 8)).sum().backward()
    timing.trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {event["ph"] for event in events} == {"X"}
    assert {event["cat"] for event in events} == {"module", "op", "backward"}
    whole = next(event for event in events if event["name"] == "Sequential")
    linear = next(event for event in events if event["args"]["shapes"] == "(4, 8), (16, 8)")
    assert whole["ts"] <= linear["ts"]
    assert linear["ts"] + linear["dur"] <= whole["ts"] + whole["dur"]
    assert linear["args"]["module"] == "Sequential.0"


def test_the_table_and_the_share_of_the_limit() -> None:
    limits = Limits(flops=1e9, bytes=1e8)
    assert Row("compute", 1, seconds=2.0, flops=10**9, bytes=10**6).share_of(limits) == 0.5
    assert Row("memory", 1, seconds=2.0, flops=10**6, bytes=10**8).share_of(limits) == 0.5
    assert Row("none").share_of(limits) == 0
    with tt.profile() as timing:
        for _ in range(2):
            tt.ones(2, 2) @ tt.ones(2, 2)
        _ = tt.ones(4) + 1.0
    lines = timing.table(limits=limits).splitlines()
    assert " ".join(lines[0].split()) == "op calls ms % of time GFLOP/s GB/s % of limit"
    assert any(line.startswith("matmul") for line in lines)
    assert lines[-1].split()[:3] == ["in", "all", "3"]
    assert "(2 more)" in timing.table(most=1, limits=limits)
    assert max(map(len, lines)) < 100


def test_what_it_refuses() -> None:
    with pytest.raises(TypeError, match="profile: model is a module, not ndarray"):
        tt.profile(np.ones(3))
    with tt.profile() as timing:
        pass
    with pytest.raises(ValueError, match=r"profile: by is one of .*'line'.*, not 'file'"):
        timing.rows("file")
    with pytest.raises(TypeError, match="profile"), tt.profile:
        pass
