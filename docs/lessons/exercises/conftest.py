"""How the exercises run: which file is tested, and what is printed of what is not right yet.

    pytest docs/lessons/exercises                       your answers, in lesson_NN.py beside this
    pytest docs/lessons/exercises -k lesson_03          those of one lesson
    pytest docs/lessons/exercises --solutions           ours, in docs/lessons/solutions

A test takes the fixture ``lesson``, the module with the answers. What it asserts has a message, and
the message is all that is printed: no traceback through pytest. An exercise that is not begun
raises NotImplementedError, whose message is a hint. Of any other error the reader's own lines are
shown, through which it came. `--tb=short` and the like bring pytest's tracebacks back.
"""

from __future__ import annotations

import functools
import importlib.util
import textwrap
import traceback
from collections.abc import Generator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
SOLUTIONS = HERE.parent / "solutions"
MARKS = {"passed": "✓", "failed": "✗", "not begun": "·"}

collect_ignore_glob = ["lesson_*.py"]  # they hold no tests, and docstrings are tasks


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--solutions", action="store_true", help="test our solutions, not your files")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.reportchars == "fE":  # nobody asked for pytest's own list: there is ours
        config.option.reportchars = ""


def answers(number: str, solutions: bool) -> ModuleType:
    """The module lesson_NN, with the reader's answers or with ours."""
    path = (SOLUTIONS if solutions else HERE) / f"lesson_{number}.py"
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, answer in list(vars(module).items()):
        if isinstance(answer, FunctionType) and answer.__module__ == module.__name__:
            setattr(module, name, noting(answer))
    return module


returned: dict[str, str] = {}  # by the name of a function, what its last call gave


def noting(answer: FunctionType) -> Any:
    """The same function, which notes what it returns: not the thing, which must be free to go."""

    @functools.wraps(answer)
    def called(*arguments: Any, **named: Any) -> Any:
        result = answer(*arguments, **named)
        wanted = answer.__annotations__.get("return", "")
        if wanted == "None":  # it changes what it is given
            return result
        what = "None (does it end in a return?)"
        if result is not None:
            shape = f" of shape {result.shape}" if hasattr(result, "shape") else ""
            what = f"a {type(result).__name__}{shape}"
        asked = f" Asked for is {wanted}." if wanted else ""
        returned[answer.__name__] = f"{answer.__name__} returned {what}.{asked}"
        return result

    return called


@pytest.fixture(scope="module")
def lesson(request: pytest.FixtureRequest) -> ModuleType:
    """What is tested: the module that this test's file is named for."""
    return answers(request.path.stem[-2:], request.config.getoption("solutions"))


# --- What is printed -------------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, None]:
    outcome = yield
    report, error = outcome.get_result(), call.excinfo and call.excinfo.value
    lesson, exercise = item.path.stem.removeprefix("test_"), item.name.removeprefix("test_")
    report.exercise = (lesson, exercise)
    report.location = (*report.location[:2], f"{lesson.replace('_', ' ')}: {exercise}")
    report.not_begun = isinstance(error, NotImplementedError)
    if report.failed and item.config.option.tbstyle == "auto":
        told = report.not_begun or isinstance(error, AssertionError)
        report.longrepr = message_of(error) if told else where_of(error, lesson, exercise)


def where_of(error: BaseException, lesson: str, exercise: str) -> str:
    """An error that no test expected: the lines of the reader's file on its way, and its words.
    If it came to no line of these, the test could not use what was returned: what that was."""
    lines = [
        f"{lesson}.py, line {frame.lineno}, in {frame.name}\n    {frame.line}\n"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == f"{lesson}.py"
    ]
    if not lines and not isinstance(error, SyntaxError):
        what = returned.get(exercise)
        told = f"{what} The test stumbled over it:" if what else "The test cannot use your answer:"
        lines = [f"{told}\n"]
    return "".join([*lines, *traceback.format_exception_only(error)]).rstrip()


def message_of(error: BaseException) -> str:
    """What the exercise says, without the comparison that pytest adds, in lines to be read."""
    message = str(error).split("\nassert ")[0] or "This is not right yet."
    paragraphs = textwrap.dedent(message).strip().split("\n")
    return "\n".join(textwrap.fill(line, 88, drop_whitespace=True) for line in paragraphs)


def state_of(report: Any) -> str:
    return "not begun" if report.not_begun else report.outcome


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    if report.when == "call" and hasattr(report, "exercise"):
        state = state_of(report)
        return report.outcome, MARKS.get(state, "?"), state.upper()
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line for each lesson: which exercises are right, which are not, which wait."""
    reports = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, ())
        if hasattr(report, "exercise") and (report.when == "call" or report.failed)
    ]
    lessons: dict[str, list[Any]] = {}
    for report in sorted(reports, key=lambda report: report.location[:2]):
        lessons.setdefault(report.exercise[0].replace("_", " "), []).append(report)
    terminalreporter.section("lessons")
    for name, of_lesson in sorted(lessons.items()):
        right = sum(report.passed for report in of_lesson)
        terminalreporter.write(f"{name}  {right} of {len(of_lesson)}  ", bold=True)
        for report in of_lesson:
            colour = {"passed": "green", "failed": "red"}.get(state_of(report), "yellow")
            mark = MARKS.get(state_of(report), "?")
            terminalreporter.write(f" {mark} {report.exercise[1]}", **{colour: True})
        terminalreporter.write_line("")
