"""A convolutional network for the 8×8 digits of scikit-learn."""

from __future__ import annotations

from ... import nn


def block(inputs: int, outputs: int) -> list[nn.Module]:
    """Convolution 3×3, batch normalisation, ReLU."""
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]


class DigitsCNN(nn.Sequential):
    """Images (N, 1, 8, 8) → logits (N, classes).

    >>> import tinytensor as tt
    >>> DigitsCNN()(tt.zeros((2, 1, 8, 8))).shape
    (2, 10)
    """

    def __init__(self, classes: int = 10, width: int = 32, dropout: float = 0.3) -> None:
        super().__init__(
            *block(1, width),
            *block(width, width),
            nn.MaxPool2d(2),
            *block(width, 2 * width),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * width * 4, classes),
        )
