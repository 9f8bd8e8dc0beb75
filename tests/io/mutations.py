"""Files of every format that is read, mutated: each is told by a clear error, or loaded right.

    python -m tests.io.mutations [--count N] [--seed S] [--jobs J] [--format NAME …]

A mutation (:mod:`.mutating`) knows the format. Workers are processes with bounded memory. A case
is a failure if

- the process dies, or takes longer than SLOWEST;
- another error comes than ValueError, OSError or DtypeError, or one without the file's name;
- it runs code: a canary is called, or Python audits a call, an import or a file that is written;
- memory is above twice what the file may claim, and ALLOWANCE;
- a file whose checksum covers all of it is loaded, and is not what it was.
"""

import argparse
import encodings.raw_unicode_escape  # noqa: F401
import gzip
import io
import json
import os
import pickle
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
import unicodedata  # noqa: F401  which Python's parser imports when it needs it, as codecs are
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tinytensor as tt
from tinytensor.data import cifar, idx
from tinytensor.train.checkpoints import read_checkpoint, write_checkpoint

from .mutating import (
    Draw,
    some_bytes,
    some_gzip,
    some_idx,
    some_npy,
    some_pickle,
    some_png,
    some_safetensors,
    some_stream,
    some_tar,
    some_zip,
)
from .pickled import FLOATS, Global, Persistent, stored, stream_of, tar_of, tensor, zip_of

SLOWEST = 10  # seconds of the processor
ALLOWANCE = 4 << 20  # bytes: objects of Python are larger than what a file says of them
INFLATION = 1032  # the most bytes that deflate makes of one, and so may claim
ADDRESS_SPACE = 1 << 30  # bytes beyond what a worker has when it begins
ROOT = Path(__file__).resolve().parents[2]
CHUNK = 1000  # cases of one worker

# --- The formats -----------------------------------------------------------------------------


class Format(NamedTuple):
    samples: Callable[[], list[bytes]]
    mutate: Callable[[Draw, bytes], bytes]
    read: Callable[[str], Any]
    name: str = "x"  # of the file
    inflates: bool = False
    checked: bool = False  # by a checksum of all that is loaded


def numpy_saved(save: Callable[..., None], *arguments: Any, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, *arguments, **arrays)
    return file.getvalue()


NUMBERED = np.arange(48, dtype="<f4").reshape(4, 12)


def tensors_of(stream: bool = False) -> dict[str, Any]:
    longs = Global("torch", "LongStorage")
    first, second = stored("0", 48, stream=stream), stored("1", 3, longs, stream)
    return {
        "weight": tensor(first, (4, 12), (12, 1)),
        "part": tensor(first, (3, 4), (1, 12), 2),
        "nested": [{"steps": tensor(second, (3,), (1,)), "lr": 0.1}, (1, None, "text", b"bytes")],
        "parameter": Global("torch._utils", "_rebuild_parameter")(
            tensor(first, (12,), (1,), 12), True, {}
        ),
    }


def pytorch_parts() -> list[bytes]:
    return [NUMBERED.tobytes(), np.arange(3, dtype="<i8").tobytes()]


def streamed() -> bytes:
    floats, longs = pytorch_parts()
    return stream_of(tensors_of(True), [floats], ["0", "1"]) + struct.pack("<q", 3) + longs


def old() -> bytes:
    item = {"a": Persistent("11"), "b": [Persistent("12"), 3]}
    return tar_of(
        item,
        [(1, FLOATS, 48, NUMBERED.tobytes())],
        [(2, 1, 3, 8)],
        [(11, 1, (4, 12), (12, 1), 0), (12, 2, (2, 2), (1, 2), 0)],
    )


def cifar_pickle(protocol: int) -> bytes:
    data = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    return pickle.dumps({b"data": data, b"labels": [3, 7], b"batch_label": b"one"}, protocol)


def saved(save: Callable[[Path, Any], None], state: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "x", state)
        return (Path(folder) / "x").read_bytes()


def tree() -> dict[str, Any]:
    return {
        "model": {"weight": tt.asarray(NUMBERED), "steps": tt.asarray(np.arange(3))},
        "history": [1.5, {"x": (tt.ones(2), "note")}],
        "flags": tt.asarray(np.array([True, False])),
        "best": None,
    }


def png() -> list[bytes]:
    from PIL import Image

    Image.init()  # it imports a module for each format that a file might be of
    pictures = []
    draw = np.random.default_rng(0)
    for mode, shape in (("RGB", (9, 11, 3)), ("L", (8, 8)), ("RGBA", (5, 7, 4))):
        file = io.BytesIO()
        Image.fromarray(draw.integers(0, 256, shape, np.uint8), mode).save(file, "PNG")
        pictures.append(file.getvalue())
    Image.open(io.BytesIO(pictures[0])).quantize(16).save(file := io.BytesIO(), "PNG")
    return [*pictures, file.getvalue()]


def image(path: str) -> Any:
    """The first picture of the folder of folders that the file is in."""
    folder = tt.data.ImageFolder(Path(path).parent.parent)
    return folder[0]


PICKLE = {"data.pkl": some_pickle}
FORMATS: dict[str, Format] = {
    "idx": Format(
        lambda: [
            b"\0\0\x08\3" + struct.pack(">3I", 3, 4, 5) + bytes(range(60)),
            b"\0\0\x0d\1" + struct.pack(">I", 9) + np.arange(9, dtype=">f4").tobytes(),
        ],
        some_idx,
        idx.read_idx,
    ),
    "idx.gz": Format(
        lambda: [gzip.compress(b"\0\0\x08\3" + struct.pack(">3I", 9, 8, 7) + bytes(504))],
        some_gzip,
        idx.read_idx,
        inflates=True,
    ),
    "cifar.bin": Format(
        lambda: [bytes([1, *range(256)] + [7] * 2816 + [9] + [5] * 3072)],
        some_bytes,
        cifar.read_cifar_binary,
    ),
    "cifar.pickle": Format(
        lambda: [cifar_pickle(protocol) for protocol in (2, 3, 5)],
        some_stream,
        cifar.read_cifar_pickle,
    ),
    "png": Format(png, some_png, image, name="folder/x.png", inflates=True),
    "pt.zip": Format(
        lambda: [
            zip_of(tensors_of(), pytorch_parts(), method=method, version="3\n")
            for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        ],
        lambda draw, content: some_zip(draw, content, PICKLE),
        tt.load,
        inflates=True,
    ),
    "pt.stream": Format(lambda: [streamed()], some_stream, tt.load),
    "pt.tar": Format(lambda: [old()], some_tar, tt.load),
    "npz": Format(
        lambda: [
            numpy_saved(save, a=NUMBERED, b=NUMBERED.T.astype(">i2"), c=np.array(True))
            for save in (np.savez, np.savez_compressed)
        ],
        lambda draw, content: some_zip(draw, content, {".npy": some_npy}),
        tt.load,
        inflates=True,
    ),
    "npy": Format(
        lambda: [numpy_saved(np.save, array) for array in (NUMBERED, NUMBERED.T.astype("c16"))],
        some_npy,
        tt.load,
    ),
    "safetensors": Format(
        lambda: [saved(tt.save, tree()["model"]), saved(tt.save, tree())],
        some_safetensors,
        tt.load,
    ),
    "checkpoint": Format(
        lambda: [saved(write_checkpoint, tree())], some_safetensors, read_checkpoint, checked=True
    ),
}


# --- A case ----------------------------------------------------------------------------------

RAN: list[str] = []
QUIET = ("os.scandir", "os.listdir", "os.walk")
LOUD = ("exec", "os.", "subprocess", "socket", "pickle", "ctypes", "shutil", "import", "marshal")


def canary(*arguments: Any) -> None:
    RAN.append("the canary")


def listen(event: str, arguments: tuple[Any, ...]) -> None:
    """What Python audits: a file that is written, and whatever runs something."""
    if event == "open":
        mode = arguments[1]
        if isinstance(mode, str) and set(mode) & set("wax+"):
            RAN.append(f"open({arguments[0]!r}, {mode!r})")
    elif event.startswith(LOUD) and not event.startswith(QUIET):
        RAN.append(f"{event}{arguments!r}"[:100])


def plain(item: Any) -> Any:
    """All that was loaded, so that each number of it is read; repeated ones are read once."""
    if isinstance(item, tt.Tensor | np.ndarray | np.generic):
        array = np.asarray(item)
        strides = zip(array.shape, array.strides, strict=True)
        once = array[tuple(slice(None if step else 1) for _, step in strides)]
        return str(array.dtype), array.shape, once.tobytes() if once.size < 10**6 else None
    if isinstance(item, dict):
        return [(key, plain(value)) for key, value in item.items()]
    if isinstance(item, list | tuple):
        return [plain(value) for value in item]
    return item


def case(which: str, content: bytes, path: str, sound: list[Any]) -> str:
    """What became of a mutated file: "right", "told", or why it is a failure."""
    form = FORMATS[which]
    Path(path).write_bytes(content)
    RAN.clear()
    result: Any = None
    told = ""
    tracemalloc.start()
    limit = int(time.process_time()) + SLOWEST
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    LISTENING.append(True)
    try:
        result = form.read(path)
    except (ValueError, OSError, tt.DtypeError) as error:
        told = str(error)
        if Path(path).name not in told:
            return f"an error without the file: {type(error).__name__}: {told}"[:300]
    except BaseException as error:
        return f"another error: {type(error).__name__}: {error}"[:300]
    finally:
        LISTENING.clear()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    if RAN:
        return f"it ran {RAN[0]}"
    claim = len(content) * (INFLATION if form.inflates else 1)
    if peak > 2 * claim + ALLOWANCE:
        return f"it took {peak} bytes for {len(content)}"
    if told:
        return "told"
    found = plain(result)
    if form.checked and found not in sound:
        return "it was loaded, and is another"
    return "right"


LISTENING: list[bool] = []


def mutated(number: int, seed: int, names: list[str], samples: dict[str, list[bytes]]) -> Any:
    """The format and the content of a case: the same for the same number and seed."""
    draw = random.Random(f"{seed} {number}")
    which = names[number % len(names)]
    content = draw.choice(samples[which])
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        try:
            content = FORMATS[which].mutate(draw, content)
        except Exception:  # it is no longer of the format
            content = some_bytes(draw, content)
    return which, content


def work(begin: int, end: int, seed: int, names: list[str], report: str) -> None:
    """The cases of one worker; each is noted before it is tried, for when it ends the process."""
    samples = {name: FORMATS[name].samples() for name in names}
    counts: Counter[str] = Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder, open(report, "w") as notes:
        paths = {name: str(Path(folder) / name / FORMATS[name].name) for name in names}
        sound: dict[str, list[Any]] = {}
        for name in names:  # whatever is imported late is imported now
            Path(paths[name]).parent.mkdir(parents=True)
            for content in samples[name]:
                Path(paths[name]).write_bytes(content)
                sound.setdefault(name, []).append(plain(FORMATS[name].read(paths[name])))
            for broken in (b"", samples[name][0][:-9]):
                Path(paths[name]).write_bytes(broken)
                with suppress(ValueError, OSError):
                    FORMATS[name].read(paths[name])
        sys.addaudithook(lambda event, arguments: LISTENING and listen(event, arguments))  # type: ignore
        if os.path.exists("/proc/self/statm"):  # on Linux
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            space = pages * resource.getpagesize() + ADDRESS_SPACE
            resource.setrlimit(resource.RLIMIT_AS, (space, space))
        for number in range(begin, end):
            which, content = mutated(number, seed, names, samples)
            os.pwrite(notes.fileno(), b"%-20d" % number, 0)
            outcome = case(which, content, paths[which], sound[which])
            kind = outcome if outcome in ("right", "told") else "wrong"
            counts[f"{which} {kind}"] += 1
            if kind == "wrong":
                failures.append(f"{which}, case {number} of seed {seed}: {outcome}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Path(report).write_text(json.dumps([end, counts, failures, peak]))


def run(count: int, seed: int, jobs: int, names: list[str]) -> tuple[Counter[str], list[str], int]:
    """Counts by format and outcome, failures, and the most memory of a worker in KB."""
    counts: Counter[str] = Counter()
    failures: list[str] = []
    most = 0
    waiting = [(begin, min(begin + CHUNK, count)) for begin in range(0, count, CHUNK)][::-1]
    running: list[tuple[subprocess.Popen[bytes], str, int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < jobs:
                begin, end = waiting.pop()
                report = f"{folder}/{begin}"
                arguments = [f"--work={begin}:{end}:{report}", f"--seed={seed}", "--format", *names]
                command = [sys.executable, "-m", "tests.io.mutations", *arguments]
                worker = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
                running.append((worker, report, begin, end))
            worker, report, begin, end = running.pop(0)
            errors = worker.communicate()[1].decode()
            if worker.returncode == 0:
                _, counted, failed, peak = json.loads(Path(report).read_text())
                counts.update(counted)
                failures += failed
                most = max(most, peak)
                continue
            noted = Path(report).read_text().split() if Path(report).exists() else []
            if not noted:
                raise RuntimeError(f"a worker did not begin: {errors}")
            died = int(noted[0])
            which = names[died % len(names)]
            how = f"the process ended by {-worker.returncode}: {errors[-300:]}"
            failures.append(f"{which}, case {died} of seed {seed}: {how}")
            counts[f"{which} wrong"] += 1
            waiting += [(died + 1, end)] * (died + 1 < end) + [(begin, died)] * (begin < died)
    return counts, failures, most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=[*FORMATS], dest="formats")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        begin, end, report = options.work.split(":", 2)
        work(int(begin), int(end), options.seed, options.formats, report)
        return 0
    counts, failures, most = run(options.count, options.seed, options.jobs, options.formats)
    print(f"{'format':14}{'right':>8}{'told':>8}{'wrong':>8}")
    for name in options.formats:
        row = [counts[f"{name} {kind}"] for kind in ("right", "told", "wrong")]
        print(f"{name:14}{row[0]:8,}{row[1]:8,}{row[2]:8,}")
    print(f"{counts.total():,} files, {len(failures)} failures; a worker had {most / 1024:.0f} MB")
    for failure in failures[:50]:
        print(failure)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
