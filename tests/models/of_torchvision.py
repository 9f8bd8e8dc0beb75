"""torchvision's models, which are Python, also where its compiled ops do not fit this PyTorch.

``from tests.models.of_torchvision import torchvision`` stands before anything else of the package.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

_KEPT = []  # a registered op lives as long as its library


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Boxes (N, 4) by falling score, without those that one before overlaps by more."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        ends = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = (ends - torch.maximum(boxes[best, :2], boxes[order, :2])).clamp(min=0).prod(1)
        overlaps = shared / (areas[best] + areas[order] - shared)
        order = order[overlaps.double() <= iou_threshold]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)


def _define_ops() -> None:
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", nms, "CPU")
    _KEPT.append(library)


try:
    torch.ops.load_library(Path(find_spec("torchvision").origin).with_name("_C.so"))
except OSError:
    _define_ops()

import torchvision  # noqa: E402

torchvision.extension._has_ops = lambda: True
