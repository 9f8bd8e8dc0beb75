"""What all tests share: what counts as a skip too many, and generators of random numbers."""

from __future__ import annotations

import os
import signal
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from tinytensor import engine, kernels
from tinytensor.config import get_num_threads

# TINYTENSOR_NO_SKIPS=1 fails a run in which anything was skipped; "torch" lets the comparisons
# with PyTorch, which have the marker ``torch``, be skipped and nothing else. For CI, where a
# skipped test is a test that is missing.
NO_SKIPS = os.environ.get("TINYTENSOR_NO_SKIPS", "")

# TINYTENSOR_EXPECT="compiled fast" (or "interpreted reference") refuses to test anything else.
EXPECT = os.environ.get("TINYTENSOR_EXPECT", "")

# In CI the examples are the same in every run; elsewhere each run draws its own.
settings.register_profile(
    "tinytensor", deadline=None, max_examples=50, derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("tinytensor")

# A shell lets what it starts behind an & ignore Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

skipped: list[str] = []


def pytest_report_header() -> str:
    return f"tinytensor: {mode()}, {get_num_threads()} threads"


def pytest_sessionstart() -> None:
    if EXPECT and mode() != EXPECT:
        raise pytest.UsageError(f"expected tinytensor {EXPECT}, but this one is {mode()}")


def mode() -> str:
    return f"{'compiled' if engine.compiled else 'interpreted'} {kernels.active}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """What asks for PyTorch, by the fixture ``torch`` or in its whole module, has the marker."""
    if "torch" in getattr(item, "fixturenames", ()) or hasattr(getattr(item, "module", 0), "torch"):
        item.add_marker("torch")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs tools of other kinds is no part of the suite: `-m browser`, `-m cross` run it."""
    for marker in {"browser", "cross"} - set(config.option.markexpr.split()):
        left_out = {item for item in items if item.get_closest_marker(marker)}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped and not allowed(report.longrepr):
        skipped.append(f"{report.nodeid}: {report.longrepr[-1]}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        if "torch" in report.keywords and allowed(report.longrepr):
            return
        skipped.append(f"{report.nodeid}: {report.longrepr[-1]}")


def pytest_testnodedown(node) -> None:
    """A worker of pytest-xdist has ended: only it knows of the files that were skipped whole."""
    skipped.extend(getattr(node, "workeroutput", {}).get("skipped", []))  # a crash has left none


pytest_testnodedown = pytest.hookimpl(optionalhook=True)(pytest_testnodedown)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["skipped"] = skipped
    elif too_many_skips() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    for line in too_many_skips():
        terminalreporter.write_line(f"SKIPPED, but nothing may be: {line}", red=True)


def allowed(reason: tuple[str, int, str]) -> bool:
    return NO_SKIPS == "torch" and "'torch'" in reason[-1]


def too_many_skips() -> list[str]:
    return sorted(set(skipped)) if NO_SKIPS else []


@pytest.fixture(scope="session")
def torch() -> Any:
    """PyTorch; a test that asks for it is skipped where it is not installed."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def one_torch_thread(torch: Any) -> Iterator[None]:
    """PyTorch's threads wait for each other, which takes longer than small tensors do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's own name: it draws the same in any order and any folder."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))


# --- Kernels ---------------------------------------------------------------------------------


def isas() -> tuple[str, ...]:
    """The instruction sets to try; "reference" alone where nothing is built."""
    if kernels.active != "fast":
        return ("reference",)
    from tinytensor.kernels import _core

    return _core.available_isas()


@pytest.fixture(params=isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this machine in turn."""
    if request.param == "reference":
        yield request.param
        return
    from tinytensor.kernels import _core

    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


@pytest.fixture
def num_threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads, for one test."""
    if kernels.active != "fast":
        yield lambda n: None
        return
    from tinytensor.kernels import _core

    before = _core.get_num_threads()
    yield _core.set_num_threads
    _core.set_num_threads(before)
