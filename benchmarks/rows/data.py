"""Training steps whose batches are loaded and augmented meanwhile, beside batches held ready."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..row import Row

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of CIFAR-10
BATCHES = 40


def augmented(name: str, batch: int, change: str, *args: float) -> Row:
    """ResNet-20 on images of CIFAR's shape, which one thread crops, flips, changes and scales."""

    def build(tt: Any) -> Any:
        from tinytensor import data
        from tinytensor.models import resnet20

        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (BATCHES * batch, 3, 32, 32), np.uint8)
        labels = rng.integers(0, 10, BATCHES * batch)
        augment = data.Compose(
            [
                data.RandomCrop(32, padding=4),
                data.RandomHorizontalFlip(),
                data.ToFloat(),
                getattr(data, change)(*args),
                data.Normalize(MEAN, STD),
            ]
        )
        dataset = data.TensorDataset(images, labels, transform=augment)
        loader = data.DataLoader(dataset, batch, shuffle=True, num_workers=1, generator=0)
        return resnet20(), loader

    builders = {"tinytensor": build, "numpy": None}
    return Row(
        "data", f"20 steps of ResNet-20, batch {batch}, {name}", "loaded", builders, {}, quick=True
    )


ROWS = [
    augmented("crop, flip, colour jitter", 32, "ColorJitter", 0.2, 0.2, 0.2),
    augmented("crop, flip, cutout", 32, "Cutout", 8),
]
