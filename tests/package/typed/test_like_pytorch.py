"""Code as a user of PyTorch writes it: it runs, and checkers of types accept it."""

from __future__ import annotations

from typing import assert_type

import numpy as np

import tinytensor as torch
import tinytensor.nn.functional as F
from tinytensor import Tensor, func, nn, optim


class Net(nn.Module):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, size), nn.ReLU(), nn.Dropout(0.1))
        self.named = nn.ModuleDict({"a": nn.Linear(size, size)})
        self.weight = nn.Parameter(torch.zeros(size, size))
        nn.init.xavier_uniform_(self.weight)
        self.rnn = nn.LSTM(size, size, batch_first=True)
        self.attention = nn.MultiheadAttention(size, 2)
        self.embedding = nn.Embedding(10, size)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = self.named["a"](self.layers(x) @ self.weight)
        out, (hidden, _) = self.rnn(h.unsqueeze(1))
        y, _ = self.attention(out, out, out)
        z = self.embedding(torch.argmax(y, dim=-1))
        y = y.squeeze(1) + z.sum(dim=1) * 2.0
        return y if mask is None else torch.where(mask, y, 0.0), hidden


@torch.no_grad()
def mean_of(net: Net, x: Tensor) -> float:
    return net(x)[0].mean().item()


def test_training() -> None:
    torch.manual_seed(0)
    net = Net().to("cpu").train()
    x = torch.randn(5, 2)
    assert_type(net(x), tuple[Tensor, Tensor])
    recurrent, rest = list(net.rnn.parameters()), list(net.attention.parameters())
    optimizer = optim.Adam([{"params": recurrent, "lr": 1e-3}, {"params": rest}], lr=1e-2)
    schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2)
    handle = net.register_forward_hook(lambda module, args, out: None)
    y, _ = net(x, mask=torch.rand(5, 4) > 0.5)
    loss = F.mse_loss(y, torch.zeros_like(y)) + nn.L1Loss(reduction="sum")(y, y.detach() + 1)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    handle.remove()
    for _, p in net.named_parameters():
        if p.grad is not None:
            assert p.grad.abs().sum().item() >= 0
            assert p.numel() == int(np.prod(p.shape))
    net.load_state_dict(net.state_dict())
    total = 0.0
    total += loss.item() + mean_of(net.eval(), x)
    assert f"{loss:.3f}" == f"{loss.item():.3f}"


def test_arithmetic() -> None:
    a = torch.arange(12).view(3, 4)
    b = a[a > 3]
    c = a[None, :, ..., 1:]
    rows = list(torch.eye(3))
    rows[0][0] = 2
    d = torch.stack(rows, dim=0).transpose(0, 1).contiguous().permute(1, 0)
    e = (1 + a) / 2**a - a // 3 % 2 + (-a & 1)
    e += 1
    e *= 2.0
    lo, hi = torch.chunk(torch.arange(4), 2)
    values, indices = torch.topk(torch.tensor([3.0, 1.0, 2.0]), 2)
    for made in (b, c, d, e, lo, hi, values, indices, torch.cat([a, a], dim=0)):
        assert_type(made, Tensor)
    assert torch.linspace(0, 1, steps=3).tolist() == [0, 0.5, 1]
    assert torch.zeros(size=(2, 3), device="cpu").shape == (2, 3)
    assert torch.scatter(a, 1, torch.zeros((3, 1)).long(), src=-a[:, :1]).shape == (3, 4)
    assert bool((a == a).all())
    assert a.float().mean().item() == 5.5
    assert a.size(0) == a.shape[0] == len(a) == 3
    assert torch.full((2,), 1.5).long().to(torch.int32).dtype == torch.int32
    assert np.asarray(values.detach()).sum() + values.cpu().numpy().sum() == 10
    assert a.tolist()[0] == [0, 1, 2, 3]


def test_transforms() -> None:
    x = torch.ones(3, requires_grad=True)
    doubled: Tensor = func.vmap(lambda t: t * 2)(x)
    jacobian: Tensor = func.jacrev(lambda t: t**2)(x.detach())
    (slope,) = torch.grad((x * x).sum(), x)
    assert doubled.sum().item() == jacobian.sum().item() == slope.sum().item() == 6
