"""The parent's side of a worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from . import width
from .frameworks import FRAMEWORKS

ROOT = Path(__file__).parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TINYTENSOR_NUM_THREADS")


class WorkerError(RuntimeError):
    """A worker could not do what it was asked."""


class Worker:
    """A process in which one framework runs, on so many threads, held to an instruction set."""

    def __init__(self, framework: str, threads: int, isa: str = "") -> None:
        self.framework = framework
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (close() closes it)
        environment = os.environ | dict.fromkeys(THREADS, str(threads))
        environment |= width.environment(isa, os.environ)
        environment |= FRAMEWORKS[framework].environment
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", framework, str(threads)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The answer to one request; WorkerError if it failed, or the process died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(json.dumps({"do": do, **arguments}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            raise WorkerError(
                f"{self.framework}: the worker ended with {code}: {self.last_words()}"
            )
        answer = json.loads(line)
        if "error" in answer:
            failure = WorkerError(f"{self.framework}: {do}: {answer['error']}")
            failure.add_note(answer["traceback"])
            raise failure
        return answer

    def last_words(self) -> str:
        self.log.seek(0)
        return self.log.read()[-2000:].strip()

    def outputs(self) -> list[np.ndarray]:
        """What one run of the prepared row gives."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "outputs.npz")
            self.ask("outputs", path=str(path))
            with np.load(path) as file:
                return [file[name] for name in file.files]

    def seconds(self, n: int) -> float:
        """The time of n runs of the prepared row."""
        return float(self.ask("run", n=n)["seconds"])

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # what was not sent to a worker that died
                    stream.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Guest(Worker):
    """A framework in the process of another: where their difference is less than that of two
    processes, whose memory never lies alike."""

    def __init__(self, host: Worker, framework: str) -> None:
        self.framework, self.host = framework, host
        self.process, self.log = host.process, host.log

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return self.host.ask(do, framework=self.framework, **arguments)

    def close(self) -> None:
        """The host does that."""
