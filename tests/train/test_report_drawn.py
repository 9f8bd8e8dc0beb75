"""A report in Chromium: the page's tree as the browser has it, and the pixels that it draws."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tinytensor as tt
from tinytensor import nn
from tinytensor.train import History, report

from ..browser import chromium

pytestmark = pytest.mark.browser

BLUE, ORANGE = (37, 99, 235), (234, 88, 12)
RED, GREEN, MAGENTA = (255, 0, 0), (0, 255, 0), (255, 0, 255)


class Reader(nn.Module):
    """Tells red from green by the first pixel, and takes magenta for red."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(3, 2)
        self.head.weight.value[...] = [[9, 0, 0], [0, 9, 0]]
        self.conv.weight.value[...] = 0.0
        self.conv.weight.value[1, 0] = 1.0

    def forward(self, x: tt.Tensor) -> tt.Tensor:
        return self.head(x[:, :, 0, 0]) + 0 * self.conv(x).mean()


def image_of(colour: tuple[int, int, int]) -> np.ndarray:
    """Of this colour, but for one black pixel and one white one, which span the scale."""
    image = np.full((8, 8, 3), colour, np.float32)
    image[7, 7], image[7, 6] = 0, 255
    return np.moveaxis(image, 2, 0) / 255


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tt.manual_seed(0)
    images = np.stack([image_of(c) for c in [RED] * 6 + [GREEN] * 6 + [MAGENTA]])
    labels = np.array([0] * 6 + [1] * 6 + [1])
    epochs: list[dict[str, Any]] = [
        {"epoch": i + 1, "loss": 2.0 / (i + 1), "val_loss": 1.0 + 0.2 * i} for i in range(8)
    ]
    path = tmp_path_factory.mktemp("report") / "report.html"
    batch = tt.tensor(images), tt.tensor(labels)
    loss = nn.CrossEntropyLoss()
    return report(History([], epochs), Reader(), [batch], path, loss=loss, names=["red", "green"])


@pytest.fixture(scope="module")
def pixels(page: Path) -> np.ndarray:
    shot = page.with_suffix(".png")
    chromium(f"--screenshot={shot}", page.as_uri())
    return np.asarray(Image.open(io.BytesIO(shot.read_bytes())).convert("RGB"))


def where(pixels: np.ndarray, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of about this colour, as lines have it at their edges."""
    return np.nonzero((abs(pixels.astype(int) - colour) < 60).all(2))


def blocks(pixels: np.ndarray, colour: tuple[int, int, int]) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of what hangs together of a colour, larger than letters."""
    from skimage.measure import label, regionprops

    regions = regionprops(label((pixels == colour).all(2)))
    boxes = [region.bbox for region in regions if region.area >= 300]
    return [(top, left, bottom - top, right - left) for top, left, bottom, right in boxes]


def test_the_tree(page: Path) -> None:
    tree = chromium("--dump-dom", page.as_uri())
    for name in ("curves", "confusion", "mistakes", "filters", "activations", "norms", "times"):
        assert f'<section id="{name}">' in tree
    assert tree.count("<polyline") == 2
    assert tree.count("<img") == 1 + 1 + 2 * 3  # a mistake, the filters, three rows of activations


def test_curves_fall_and_rise(pixels: np.ndarray) -> None:
    """Of the first chart: the training's line, blue, goes down, and the validation's up."""
    chart = pixels[:530, :480]
    for colour, falls in ((BLUE, True), (ORANGE, False)):
        rows, columns = where(chart, colour)
        line = rows < rows.max() - 30  # without the legend
        rows, columns = rows[line], columns[line]
        assert np.ptp(columns) > 330
        left, right = columns < columns.min() + 60, columns > columns.max() - 60
        assert (rows[left].mean() < rows[right].mean()) == falls


def test_the_confusion_matrix(pixels: np.ndarray) -> None:
    """6 of 6 red ones are right, a full blue cell; 6 of 7 green ones, paler; one is an error."""
    full = [box for box in blocks(pixels, BLUE) if box[2] > 20 and 28 < box[3] < 60]
    assert len(full) == 1
    top, left, height, width = full[0]
    below = pixels[top + height + 6, left + 4]  # green ones taken for red
    beside = pixels[top + 4, left + width + 6]  # red ones taken for green: none
    across = pixels[top + height + 6, left + width + 6]
    assert below[0] > below[1] > below[2]
    assert beside.tolist() == [255, 255, 255]
    assert across[2] > across[1] > across[0]


def test_pictures_of_mistakes_and_inputs(pixels: np.ndarray) -> None:
    """The one mistake, 96 pixels wide; the first three inputs, 80 wide; all sharp, in colour. And
    the filter that sees red alone."""
    ((_, _, height, width),) = blocks(pixels, MAGENTA)
    assert (height, width) == (96, 96)
    red = blocks(pixels, RED)
    assert [box[2:] for box in red] == [(24, 24)] + [(80, 80)] * 3
    assert not blocks(pixels, GREEN)


def test_bars(pixels: np.ndarray) -> None:
    """Gradient norms and times: bars to a scale, the longest as long as the column."""
    bars = [box for box in blocks(pixels, BLUE) if 9 <= box[2] <= 12 and box[3] > 100]
    assert bars
    assert max(box[3] for box in bars) == pytest.approx(420, abs=20)
