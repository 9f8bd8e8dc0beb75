"""LeNet-5 (LeCun et al. 1998), with ReLU and max pooling in the place of tanh and averages."""

from __future__ import annotations

from ... import nn
from ...nn import functional as F
from ...tensors.tensor import Tensor


class LeNet(nn.Module):
    """Images (N, 1, 28, 28) → logits (N, classes).

    >>> import tinytensor as tt
    >>> LeNet()(tt.zeros((2, 1, 28, 28))).shape
    (2, 10)
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.reshape(x.shape[0], -1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
