"""The lessons' exercises: solutions pass, stubs say what to do, wrong answers hear what is wrong.

A file in ``wrong_answers`` has triples: the name of an exercise, a wrong answer to it, and words of
the message that is meant for that."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.no_c

ROOT = Path(__file__).resolve().parents[2]
LESSONS = ROOT / "docs" / "lessons"
EXERCISES = LESSONS / "exercises"
NUMBERS = [path.stem[-2:] for path in sorted(EXERCISES.glob("lesson_*.py"))]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exercises_of(number: str) -> dict[str, Callable[[Any], None]]:
    """Each test by the name of its exercise."""
    module = load(EXERCISES / f"test_lesson_{number}.py")
    found = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    return {name.removeprefix("test_"): test for name, test in found.items()}


@pytest.mark.parametrize("number", NUMBERS)
def test_solutions_pass_and_stubs_teach(number: str) -> None:
    solution, stub = (
        load(folder / f"lesson_{number}.py") for folder in (LESSONS / "solutions", EXERCISES)
    )
    tests = exercises_of(number)
    assert len(tests) >= 3
    for name, test in tests.items():
        assert hasattr(stub, name), f"no stub {name} in lesson_{number}.py"
        test(solution)
        with pytest.raises(NotImplementedError) as raised:
            test(stub)
        assert len(str(raised.value)) > 60, f"{name} says only: {raised.value}"


@pytest.mark.parametrize("number", NUMBERS)
def test_wrong_answers_hear_what_is_wrong(number: str) -> None:
    solution, tests = load(LESSONS / "solutions" / f"lesson_{number}.py"), exercises_of(number)
    wrong = load(Path(__file__).parent / "wrong_answers" / f"lesson_{number}.py").WRONG
    assert len(wrong) >= 3
    for name, answer, words in wrong:
        with pytest.raises(AssertionError) as raised:
            tests[name](SimpleNamespace(**{**vars(solution), name: answer}))
        assert words in str(raised.value), f"{name}: {raised.value}"


def test_an_answer_of_no_use_is_told_by_its_type() -> None:
    conftest = load(EXERCISES / "conftest.py")

    def depth(x: Any) -> int:
        return x

    answer = conftest.noting(depth)
    for given, what in [(None, "None (does it end in a return?)"), ([1], "a list")]:
        assert answer(given) is given
        told = conftest.where_of(TypeError("unusable"), "lesson_99", "depth")
        assert told.startswith(f"depth returned {what}. Asked for is int.")
        assert told.endswith("TypeError: unusable")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "docs/lessons/exercises"]
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )


def test_pytest_runs_what_the_reader_has_written() -> None:
    done = run("-k", "lesson_01")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "lesson 01  0 of 5   · slopes_by_hand" in done.stdout
    assert "_ lesson 01: slopes_by_hand _" in done.stdout
    assert "How much does f change if s changes by 1?" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout
    assert "Error" not in done.stdout
    solved = run("-k", "lesson_01", "--solutions")
    assert solved.returncode == 0, solved.stdout + solved.stderr
    assert "lesson 01  5 of 5   ✓ slopes_by_hand" in solved.stdout
