"""Each name of PyTorch's works here, or tells what to write instead; and what it tells is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import tinytensor as tt
from tinytensor.ops.ways import WAYS

pytestmark = pytest.mark.no_c

TABLE = (Path(__file__).parent / "names_of_pytorch.txt").read_text()
NAMES = {
    part.split("]")[0]: part.split("]")[1].split() for part in TABLE.partition("[")[2].split("[")
}
LEAST = {
    "torch": 195,
    "Tensor": 360,
    "linalg": 12,
    "fft": 6,
    "nn": 103,
    "nn.functional": 75,
    "data": 13,
}  # that work, of those in the table


EXAMPLES = {
    "Tensor": lambda: tt.zeros(2, 2),
    "Module": lambda: tt.nn.Linear(2, 2),
    "Optimizer": lambda: tt.optim.SGD([tt.nn.Parameter(tt.zeros(2))]),
    "Sequential": lambda: tt.nn.Sequential(),
    "ModuleList": lambda: tt.nn.ModuleList(),
    "ModuleDict": lambda: tt.nn.ModuleDict(),
}


def place_of(name):
    """A namespace, or what has the methods of a class."""
    if name in EXAMPLES:
        return EXAMPLES[name]()
    return importlib.import_module("tinytensor" if name == "torch" else f"tinytensor.{name}")


@pytest.mark.parametrize("namespace", NAMES)
def test_a_name_works_or_tells_the_way(namespace):
    place, works, silent = place_of(namespace), 0, []
    for name in NAMES[namespace]:
        try:
            getattr(place, name)
            works += 1
        except AttributeError as error:
            if not re.search(rf"`{name}` (is `.+` here|is not here[;:] .+)$", str(error)):
                silent.append(name)
    assert not silent
    assert works >= LEAST.get(namespace, 0), f"{works} of {len(NAMES[namespace])} work"


@pytest.mark.parametrize(
    ("namespace", "name", "way"),
    [(space, name, way) for space, ways in WAYS.items() for name, way in ways.items()],
)
def test_what_a_way_names_is_there(namespace, name, way):
    """And the name itself is not: a way that nobody is told would stay for ever."""
    for words in re.findall(r"(?<![\w.])(?<!PyTorch's )(tt|x)\.([a-zA-Z_][\w.]*)", way):
        place = tt if words[0] == "tt" else tt.zeros(2, 2)
        for part in words[1].rstrip(".").split("."):
            place = getattr(place, part)
    with pytest.raises(AttributeError):
        getattr(place_of(namespace.removeprefix("tinytensor").lstrip(".") or "torch"), name)
