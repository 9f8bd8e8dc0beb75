"""Pictures of text for tests, drawn by Pillow's own font."""

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image, ImageDraw, ImageFont


def page(texts, size=20, width=640, *, ink=0, paper=255, spacing=1.6, margin=12):
    """A grey picture (H, W) of these lines, one below the other."""
    step = int(spacing * size)
    picture = Image.new("L", (width, 2 * margin + step * len(texts)), paper)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for i, text in enumerate(texts):
        draw.text((margin, margin + i * step), text, fill=ink, font=font)
    return np.asarray(picture)


def rendered(text, height, width):
    """A line as networks take it: float32 (height, width) of -1 … 1."""
    picture = Image.new("L", (width, height), 255)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(0.6 * height)
    draw.text((4, height // 5), text, fill=0, font=font)
    return np.asarray(picture, np.float32) / 127.5 - 1
