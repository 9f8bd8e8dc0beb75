"""MTCNN finds faces and their landmarks: Zhang, Zhang, Li and Qiao, "Joint face detection and
alignment using multitask cascaded convolutional networks", 2016.

Three small networks, each stricter than the one before: P-Net looks everywhere, at all sizes of a
face; R-Net at what that found; O-Net at what is left, and says where eyes, nose and mouth are. The
names of the parameters are those of the package facenet-pytorch, which carries published weights.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import nn
from ...nn import functional as F
from ...nn.evaluating import evaluating
from ...ops.checks import number, whole
from ...tensors.tensor import Tensor
from .boxes import areas, nms
from .packages import packaged
from .pixels import pixels as pixels_of

AT_ONCE = 512  # candidates in a batch of R-Net or O-Net
CELL, STRIDE = 12, 2  # P-Net looks at squares of 12 pixels, 2 apart


class _FaceNet(nn.Module):
    """Convolutions, each with a PReLU and, where a pooling size is named, a max pooling by 2.

    The layers are conv1, prelu1, pool1, conv2 …; what follows is each network's own.
    """

    def __init__(self, channels: Sequence[int], kernels: str, pools: str) -> None:
        super().__init__()
        self.convolutions = len(kernels)
        inputs = 3
        for i, (outputs, kernel, pool) in enumerate(zip(channels, kernels, pools, strict=True), 1):
            setattr(self, f"conv{i}", nn.Conv2d(inputs, outputs, int(kernel)))
            setattr(self, f"prelu{i}", nn.PReLU(outputs))
            if pool != "-":
                setattr(self, f"pool{i}", nn.MaxPool2d(int(pool), 2, ceil_mode=True))
            inputs = outputs

    def _features(self, x: Tensor) -> Tensor:
        for i in range(1, self.convolutions + 1):
            x = getattr(self, f"prelu{i}")(getattr(self, f"conv{i}")(x))
            pool = getattr(self, f"pool{i}", None)
            x = x if pool is None else pool(x)
        return x

    def _columns(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) as rows, in the order of the published weights: W, H, C."""
        return self._features(x).permute(0, 3, 2, 1).flatten(1)


class PNet(_FaceNet):
    """Proposals: images (N, 3, H, W) → corrections of boxes (N, 4, H', W') and the probabilities
    of no face and of one (N, 2, H', W'), for a square of 12 pixels at every second pixel.

    >>> import tinytensor as tt
    >>> [out.shape for out in PNet()(tt.zeros((1, 3, 12, 14)))]
    [(1, 4, 1, 2), (1, 2, 1, 2)]
    """

    def __init__(self) -> None:
        super().__init__((10, 16, 32), "333", "2--")
        self.conv4_1 = nn.Conv2d(32, 2, 1)
        self.softmax4_1 = nn.Softmax(dim=1)
        self.conv4_2 = nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self._features(x)
        return self.conv4_2(x), self.softmax4_1(self.conv4_1(x))


class RNet(_FaceNet):
    """Refinement: crops (N, 3, 24, 24) → corrections of their boxes (N, 4) and the probabilities
    (N, 2) of no face and of one.

    >>> import tinytensor as tt
    >>> [out.shape for out in RNet()(tt.zeros((5, 3, 24, 24)))]
    [(5, 4), (5, 2)]
    """

    def __init__(self) -> None:
        super().__init__((28, 48, 64), "332", "33-")
        self.dense4 = nn.Linear(576, 128)
        self.prelu4 = nn.PReLU(128)
        self.dense5_1 = nn.Linear(128, 2)
        self.softmax5_1 = nn.Softmax(dim=1)
        self.dense5_2 = nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.prelu4(self.dense4(self._columns(x)))
        return self.dense5_2(x), self.softmax5_1(self.dense5_1(x))


class ONet(_FaceNet):
    """Output: crops (N, 3, 48, 48) → corrections of their boxes (N, 4), landmarks (N, 10) as parts
    of the box, first the five x and then the five y, and the probabilities (N, 2) of no face and of
    one.

    >>> import tinytensor as tt
    >>> [out.shape for out in ONet()(tt.zeros((5, 3, 48, 48)))]
    [(5, 4), (5, 10), (5, 2)]
    """

    def __init__(self) -> None:
        super().__init__((32, 64, 64, 128), "3332", "332-")
        self.dense5 = nn.Linear(1152, 256)
        self.prelu5 = nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.softmax6_1 = nn.Softmax(dim=1)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.prelu5(self.dense5(self._columns(x)))
        return self.dense6_2(x), self.dense6_3(x), self.softmax6_1(self.dense6_1(x))


class Faces(NamedTuple):
    """The F faces of a picture, in its pixels: boxes (F, 4) of left, top, right and bottom,
    probabilities (F,), and landmarks (F, 5, 2) as (x, y): the eye on the left of the picture, that
    on its right, the nose, and the corners of the mouth, left and right."""

    boxes: np.ndarray
    probabilities: np.ndarray
    landmarks: np.ndarray

    def chosen(self, index: Any) -> Faces:
        """Those of a mask or of indices, in their order."""
        return Faces(*(field[index] for field in self))


class MTCNN(nn.Module):
    """The cascade. ``model.detect(picture)`` gives the :class:`Faces`; ``model(picture)`` cuts them
    out.

    ``weights`` is the wheel of facenet-pytorch (``pip download --no-deps facenet-pytorch``), or a
    folder that holds its ``pnet.pt``, ``rnet.pt`` and ``onet.pt``; nothing is downloaded here.

    Faces of less than ``min_face_size`` pixels are not looked for; the next size is larger by 1 /
    ``factor``. ``thresholds`` are the least probabilities after each network. Of many faces the
    largest come first, or with ``select_largest=False`` the likeliest.

    A face that is cut out is ``image_size`` pixels wide and high, with ``margin`` of them around
    the box; with ``post_process`` its values are (pixel - 127.5) / 128. With ``keep_all`` the call
    gives all faces (F, 3, image_size, image_size), otherwise the first (3, image_size, image_size),
    or None if there is no face.
    """

    def __init__(
        self,
        image_size: int = 160,
        margin: int = 0,
        min_face_size: float = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        post_process: bool = True,
        select_largest: bool = True,
        keep_all: bool = False,
        *,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        whole("MTCNN", 1, image_size=image_size)
        number("MTCNN", "margin", margin, 0, image_size - 1)
        if number("MTCNN", "min_face_size", min_face_size) <= 0:
            raise ValueError(f"MTCNN: min_face_size must be above 0, not {min_face_size}")
        if not 0 < number("MTCNN", "factor", factor) < 1:
            raise ValueError(f"MTCNN: factor must be between 0 and 1, not {factor}")
        if len(thresholds) != 3:
            raise ValueError(f"MTCNN: thresholds are three probabilities, not {thresholds}")
        self.image_size, self.margin, self.min_face_size = image_size, margin, min_face_size
        self.thresholds = tuple(number("MTCNN", "thresholds", p, 0, 1) for p in thresholds)
        self.factor, self.post_process = factor, post_process
        self.select_largest, self.keep_all = select_largest, keep_all
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()
        if weights is not None:
            for name, state in facenet_weights(weights).items():
                getattr(self, name).load_state_dict(state)

    def forward(self, img: Any) -> Tensor | None:
        pixels = pixels_of("MTCNN", img, "RGB")
        found = self.crop(img, self._found(pixels).boxes)
        return found if self.keep_all else found[0] if len(found) else None

    def detect(self, img: Any) -> Faces | list[Faces]:
        """The faces of a picture (H, W, 3) of bytes, or of what NumPy makes one of, as of a Pillow
        image in mode RGB; a list of them for a list of pictures or an array (N, H, W, 3)."""
        if isinstance(img, list | tuple) or np.ndim(img) == 4:
            return [self._found(pixels_of("MTCNN", one, "RGB")) for one in img]
        return self._found(pixels_of("MTCNN", img, "RGB"))

    def crop(self, img: Any, boxes: Any) -> Tensor:
        """What is in boxes (F, 4) of a picture, with the margin: (F, 3, image_size, image_size)."""
        pixels = pixels_of("MTCNN", img, "RGB")
        height, width = pixels.shape[:2]
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        around = (boxes[:, 2:] - boxes[:, :2]) * self.margin / (self.image_size - self.margin) / 2
        first = np.maximum(boxes[:, :2] - around, 0).astype(int)
        last = np.minimum(boxes[:, 2:] + around, [width, height]).astype(int)
        first, last = np.minimum(first, [width - 1, height - 1]), np.maximum(last, first + 1)
        found = _resized(pixels, first, np.maximum(last, first + 1), self.image_size)
        return Tensor(_normal(found) if self.post_process else found)

    # --- The cascade -------------------------------------------------------------------------

    def _found(self, pixels: np.ndarray) -> Faces:
        with evaluating(self):
            boxes = self._refined(pixels, self._proposed(pixels))
            faces = self._judged(pixels, boxes)
        if self.select_largest:
            return faces.chosen(np.argsort(areas(faces.boxes), kind="stable")[::-1])
        return faces

    def _proposed(self, pixels: np.ndarray) -> np.ndarray:
        """Squares (F, 4) around what P-Net takes for faces, in pictures of falling size."""
        height, width = pixels.shape[:2]
        images = Tensor(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        scale, found = CELL / self.min_face_size, []
        least = min(height, width) * scale
        while least >= CELL:
            size = int(height * scale + 1), int(width * scale + 1)
            shrunk = F.interpolate(images, size=size, mode="area").numpy()
            moves, probabilities = (out.numpy()[0] for out in self.pnet(Tensor(_normal(shrunk))))
            likely = probabilities[1] >= self.thresholds[0]
            places = np.argwhere(likely)[:, ::-1].astype(np.float32) * STRIDE + 1
            ends = places + np.float32(CELL - 1)
            rows = np.concatenate(
                [
                    np.floor(places / np.float32(scale)),
                    np.floor(ends / np.float32(scale)),
                    probabilities[1][likely][:, None],
                    moves[:, likely].T,
                ],
                1,
            )
            found.append(rows[nms(rows[:, :4], rows[:, 4], 0.5)])
            scale, least = scale * self.factor, least * self.factor
        rows = np.concatenate(found) if found else np.zeros((0, 9), np.float32)
        rows = rows[nms(rows[:, :4], rows[:, 4], 0.7)]
        return _squares(_moved(rows[:, :4], rows[:, 5:], border=0))

    def _refined(self, pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Squares (F, 4) around those that R-Net takes for faces too."""
        boxes, crops = _crops(pixels, boxes, 24)
        moves, probabilities = _in_batches(self.rnet, crops, (4, 2))
        likely = probabilities[:, 1] > self.thresholds[1]
        boxes, moves, scores = boxes[likely], moves[likely], probabilities[likely, 1]
        kept = nms(boxes, scores, 0.7)
        return _squares(_moved(boxes[kept], moves[kept]))

    def _judged(self, pixels: np.ndarray, boxes: np.ndarray) -> Faces:
        """The faces, by O-Net."""
        boxes, crops = _crops(pixels, boxes, 48)
        moves, points, probabilities = _in_batches(self.onet, crops, (4, 10, 2))
        likely = probabilities[:, 1] > self.thresholds[2]
        boxes, moves, points = boxes[likely], moves[likely], points[likely]
        scores = probabilities[likely, 1]
        sides = boxes[:, None, 2:] - boxes[:, None, :2] + 1
        landmarks = sides * points.reshape(-1, 2, 5).transpose(0, 2, 1) + boxes[:, None, :2] - 1
        boxes = _moved(boxes, moves)
        kept = nms(boxes, scores, 0.7, of="smaller", border=1)
        return Faces(boxes, scores, landmarks).chosen(kept)


def _normal(pixels: np.ndarray) -> np.ndarray:
    """0 … 255 as numbers around 0, which the networks were trained on."""
    return (pixels - np.float32(127.5)) * np.float32(1 / 128)


def _moved(boxes: np.ndarray, moves: np.ndarray, border: float = 1) -> np.ndarray:
    """Each edge of the boxes, moved by its part of their width or height."""
    sides = boxes[:, 2:] - boxes[:, :2] + np.float32(border)
    return boxes + moves * np.concatenate([sides, sides], 1)


def _squares(boxes: np.ndarray) -> np.ndarray:
    """The boxes, about their centres, as wide and high as the longer side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    side = sides.max(1, keepdims=True, initial=-np.inf)
    first = boxes[:, :2] + sides * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([first, first + side], 1)


def _crops(pixels: np.ndarray, boxes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of which something is in the picture, and that, as (F, 3, size, size) for a
    network. Boxes count pixels from 1, and hold those at both ends."""
    height, width = pixels.shape[:2]
    cut = np.trunc(boxes).astype(np.int64)
    first, last = np.maximum(cut[:, :2], 1) - 1, np.minimum(cut[:, 2:], [width, height])
    inside = (first < last).all(1)
    return boxes[inside], _normal(_resized(pixels, first[inside], last[inside], size))


def _resized(pixels: np.ndarray, first: np.ndarray, last: np.ndarray, size: int) -> np.ndarray:
    """The parts of a picture from pixels ``first`` to before ``last``, each (F, 2) as (x, y), by
    averages of areas: (F, 3, size, size)."""
    planes = pixels.transpose(2, 0, 1)[None]
    out = np.empty((len(first), 3, size, size), np.float32)
    for i, ((left, top), (right, bottom)) in enumerate(zip(first, last, strict=True)):
        part = Tensor(np.ascontiguousarray(planes[:, :, top:bottom, left:right]))
        out[i] = F.interpolate(part, size=size, mode="area").numpy()[0]
    return out


def _in_batches(net: nn.Module, crops: np.ndarray, widths: Sequence[int]) -> list[np.ndarray]:
    """The outputs (F, width) of a network for crops (F, 3, H, W), of which there may be none."""
    parts = [[np.zeros((0, width), np.float32) for width in widths]]
    for i in range(0, len(crops), AT_ONCE):
        parts.append([out.numpy() for out in net(Tensor(crops[i : i + AT_ONCE]))])
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def facenet_weights(source: str | os.PathLike[str]) -> dict[str, Any]:
    """The state_dicts "pnet", "rnet" and "onet" in facenet-pytorch's wheel, or in a folder of its
    files ``pnet.pt``, ``rnet.pt`` and ``onet.pt``: at its top or, as in the package, in ``data``.

    Raises FileNotFoundError; ValueError for a file that is no wheel or does not hold them.
    """
    names = ("pnet", "rnet", "onet")
    files = [f"{name}.pt" for name in names]
    states = packaged("MTCNN", "facenet-pytorch", source, "facenet_pytorch/data", files)
    return dict(zip(names, states, strict=True))
