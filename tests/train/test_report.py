"""Reports: what is in the page, what is left out, and that the model is as it was."""

from __future__ import annotations

import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.errors import ShapeError
from tinytensor.train import History, fit, report
from tinytensor.train.drawing import grey, line_chart, log_ticks, png, signed, ticks, tiles

pytestmark = pytest.mark.no_c


class Page(HTMLParser):
    """Which sections a page has, and all its tags with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(self.text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "img", "line", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: Any) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for attributes in self.all("section")]


def trained(classes: int = 3) -> tuple[nn.Module, list[Any], History]:
    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(3):
        x = rng.normal(size=(8, 1, 6, 6)).astype(np.float32)
        batches.append((tt.tensor(x), tt.tensor(rng.integers(0, classes, 8))))
    model = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(80, classes)
    )
    optimizer = tt.optim.SGD(model.parameters(), lr=0.01)
    history = fit(
        model,
        batches,
        optimizer,
        nn.CrossEntropyLoss(),
        2,
        val=batches,
        metrics=["accuracy", "confusion"],
        progress=False,
    )
    return model, batches, history


def test_a_whole_report(tmp_path: Path) -> None:
    model, batches, history = trained()
    names = ["<a>", "b & c", 'd"']
    path = report(
        history, model, batches, tmp_path / "r.html", loss=nn.CrossEntropyLoss(), names=names
    )
    page = Page(path)
    assert page.sections == [
        *("summary", "curves", "confusion", "mistakes", "filters"),
        *("activations", "norms", "times"),
    ]
    # Nothing from elsewhere, and a policy that would refuse it.
    assert not page.all("script") + page.all("link") + page.all("a")
    assert "default-src 'none'" in page.text
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.text)
    assert "//" not in text
    assert "url(" not in text
    assert all(
        (image["src"] or "").startswith("data:image/png;base64,") for image in page.all("img")
    )
    lines = [line["data-name"] for line in page.all("polyline")]
    assert lines == ["training", "validation"] * 2 + ["each step", "lr"]
    assert "&lt;a&gt;" in page.text
    assert "<a>" not in page.text
    model.eval()
    right = np.mean([(model(x).numpy().argmax(1) == y.numpy()).mean() for x, y in batches])
    assert f"{right:.2%} of 24 right" in page.text
    mistakes = round(24 * (1 - right))
    assert page.text.count("read as") == min(mistakes, 24)
    for name, _ in model.named_parameters():
        assert f"<th>{name}</th>" in page.text
    assert "<th>4 Linear</th>" in page.text


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model, batches, history = trained()
    nn.CrossEntropyLoss()(model(batches[0][0]), batches[0][1]).backward()
    states = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    grads = [p.grad for p in model.parameters()]
    random = tt.get_rng_state()
    report(history, model, batches, tmp_path / "r.html", loss=nn.CrossEntropyLoss())
    assert model.training
    assert all(a is p.grad for a, p in zip(grads, model.parameters(), strict=True))
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), states[key])
    assert repr(tt.get_rng_state()) == repr(random)
    assert not any(m._forward_hooks for m in model.modules() if hasattr(m, "_forward_hooks"))


def test_what_there_is_nothing_to_tell_of(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    assert Page(report(History(), path=path)).sections == ["summary"]
    history = History([1.0, math.nan, 0.5], [{"epoch": 1, "loss": math.inf}], "interrupted")
    page = Page(report(history, path=path))
    assert page.sections == ["summary", "curves"]
    assert "interrupted" in page.text
    tt.manual_seed(0)
    model = nn.Linear(3, 1)
    batches = [(tt.ones(4, 3), tt.zeros(4, 1))]
    page = Page(report(history, model, batches, path, loss=nn.MSELoss()))
    assert page.sections == ["summary", "curves", "norms", "times"]
    assert Page(report(history, model, [], path)).sections == ["summary", "curves"]


def test_many_classes_and_wrong_names(tmp_path: Path) -> None:
    model, batches, history = trained(classes=40)
    page = Page(report(history, model, batches, tmp_path / "r.html"))
    assert "confusion" in page.sections
    assert 'class="confusion"' not in page.text
    with pytest.raises(ShapeError, match="report: 2 names for 40 classes"):
        report(history, model, batches, tmp_path / "r.html", names="ab")


# --- Drawing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 2, 3)])
def test_png_is_read_by_pillow(rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    from PIL import Image

    array = rng.integers(0, 256, shape).astype(np.uint8)
    image = Image.open(io.BytesIO(png(array)))
    image.load()
    np.testing.assert_array_equal(np.asarray(image), array)


def test_ticks() -> None:
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-3e-5, 1e-5) == [-3e-5, -2e-5, -1e-5, 0.0, 1e-5]
    assert ticks(1234.0, 9876.0) == [2000, 4000, 6000, 8000]
    for low, high in [(0.0, 1e-300), (1e300, 3e300), (-5.0, 5.0)]:
        assert 1 <= len(ticks(low, high)) <= 12
    assert log_ticks(-6.1, -0.5) == [-6, -5, -4, -3, -2, -1]
    assert log_ticks(0.0, 0.1) == ticks(0.0, 0.1)
    assert 2 <= len(log_ticks(-300.0, 300.0)) <= 8


def test_lines_are_broken_where_numbers_are_not_finite() -> None:
    chart = line_chart({"a": (range(6), [1, 2, math.nan, 4, math.inf, 6])}, "x")
    assert chart.count("<polyline") == 1
    assert "nan" not in chart
    points = re.search(r'points="([^"]+)"', chart)
    assert points
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in points[1].split())
    assert x0 < x1
    assert y0 > y1  # up is less


def test_colours() -> None:
    assert grey(np.array([[[1.0, 3.0]]])).tolist() == [[0, 255]]
    assert grey(np.full((3, 1, 2), np.nan)).shape == (1, 2, 3)
    colours = signed(np.array([[-2.0, 0.0, 2.0]]), 2.0).tolist()[0]
    assert colours == [[234, 88, 12], [255, 255, 255], [37, 99, 235]]
    assert tiles([np.zeros((2, 3), np.uint8)] * 5, 2).shape == (9, 8, 3)
