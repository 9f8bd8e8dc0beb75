"""What checkers of types must find: an error in each line that says what is wrong, and no other."""

from __future__ import annotations

import tinytensor as tt
import tinytensor.nn.functional as F
from tinytensor import Tensor, nn, optim
from tinytensor.data import DataLoader


class Both(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, -x


@tt.no_grad()
def evaluate(model: nn.Module, x: Tensor) -> Tensor:
    return F.softmax(model(x), dim=-1)


def mistakes() -> int:
    x = tt.ones((2, 3, 8, 8))
    model = nn.Linear(8, 4)
    tt.conv2d(x, tt.ones((4, 3, 3, 3)), strides=2)  # wrong: an argument of another name
    tt.matmul(x)  # wrong: an argument is missing
    tt.sum(x, axis="channels")  # wrong: an axis is a number
    tt.exp("x")  # wrong: no array
    tt.linalg.svd(x).V.sum()  # wrong: it is Vh
    tt.topk(x, 2).values.keys()  # wrong: a tensor has no keys
    x.exponential()  # wrong: no such method
    x.item().backward()  # wrong: a number has no gradient
    (x + 1).shape.append(3)  # wrong: a shape is a tuple
    F.cross_entropy(x, x, reduction="avg")  # wrong: no such reduction
    Both()(x).sum()  # wrong: two tensors
    evaluate(model, 2.0)  # wrong: a decorated function takes what it took
    x @ "1"  # wrong: no array
    nn.Conv2d(3, 4)  # wrong: without the size of its kernel
    optim.SGD(model.parameters(), lr="0.1")  # wrong: a rate is a number
    DataLoader([1, 2], batch_sizes=2)  # wrong: an argument of another name
    return tt.mean(x)  # wrong: that is a tensor
