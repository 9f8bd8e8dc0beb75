"""A program as a user writes it, which checkers of types accept; test_types.py runs it too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tinytensor as tt
import tinytensor.nn.functional as F
from tinytensor import Tensor, func, nn, optim
from tinytensor.data import DataLoader, Dataset, TensorDataset, random_split

# --- An operation of one's own ---------------------------------------------------------------


class Cube(tt.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x**3

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return 3 * ctx.scale * x**2 * g, None


@tt.op
def softsign(x: np.ndarray) -> Any:
    """x / (1 + |x|)."""
    return x / (1 + np.abs(x))


softsign.grad(x=lambda g, x: g / (1 + abs(x)) ** 2)

# --- Modules ---------------------------------------------------------------------------------


class Residual(nn.Module):
    """A block with its own parameter and buffer, and an input that passes by."""

    def __init__(self, size: int, p: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.inner = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))
        self.dropout = nn.Dropout(p)
        self.gain = nn.Parameter(tt.ones(size))
        self.register_buffer("calls", tt.zeros((), dtype=tt.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.inner(self.norm(x))) * self.gain


class Classifier(nn.Module):
    def __init__(self, channels: int, classes: int, hidden: int = 16) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1, channels, kernel_size=3, padding=1)
        self.blocks = nn.ModuleList([Residual(hidden) for _ in range(2)])
        self.into = nn.Linear(channels * 16, hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = F.max_pool2d(tt.relu(self.filters(images)), 2)
        x = self.into(x.reshape(x.shape[0], -1))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(x)
        return logits


# --- Data ------------------------------------------------------------------------------------


class Stripes(Dataset):
    """Images of horizontal and of vertical stripes."""

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        self.images = rng.normal(size=(count, 1, 8, 8)).astype(np.float32)
        self.labels = rng.integers(2, size=count)
        self.images[self.labels == 0, :, ::2] += 2
        self.images[self.labels == 1, :, :, ::2] += 2

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])


def batches(loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    for images, labels in loader:
        yield images - images.mean(axis=(2, 3), keepdims=True), labels


# --- Training --------------------------------------------------------------------------------


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = total = 0
    with tt.no_grad():
        for images, labels in batches(loader):
            predicted = model(images).argmax(axis=-1)
            right += int((predicted == labels).sum().item())
            total += labels.shape[0]
    model.train()
    return right / total


def train(model: nn.Module, loader: DataLoader, epochs: int = 2) -> list[float]:
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    losses: list[float] = []
    for _ in range(epochs):
        for images, labels in batches(loader):
            loss = F.cross_entropy(model(images), labels, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
    return losses


def saved_and_loaded(model: nn.Module, path: Path) -> dict[str, Tensor]:
    state = model.state_dict()
    tt.save(path, {"model": state, "step": 3})
    loaded = tt.load(path)
    model.load_state_dict(loaded["model"])
    return state


# --- Derivatives as functions ----------------------------------------------------------------


def energy(positions: Tensor, stiffness: float = 2.0) -> Tensor:
    differences = positions[1:] - positions[:-1]
    return 0.5 * stiffness * (differences**2).sum()


def transforms() -> tuple[Tensor, Tensor, Tensor]:
    x = tt.linspace(0, 1, 5)
    value, slope = func.value_and_grad(energy)(x)
    curvature = func.hessian(energy)(x)
    each = func.vmap(func.grad(energy))(tt.stack([x, x * 2]))
    out, along = func.jvp(energy, (x,), (tt.ones_like(x),))
    assert value.shape == out.shape == along.shape == ()
    return slope, curvature, each


def by_weights(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The gradients of a function of a module's parameters."""
    parameters = dict(model.named_parameters())

    def loss(weights: dict[str, Tensor]) -> Tensor:
        out: Tensor = func.functional_call(model, weights, (x,))
        return (out**2).mean()

    gradients: dict[str, Tensor] = func.grad(loss)(parameters)
    return gradients


# --- Tensors ---------------------------------------------------------------------------------


def arithmetic() -> list[float]:
    a = tt.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    b = (a @ a.T + 1) / 2 - a.exp().log()
    c = tt.where(b > 2, b, 0.0).clip(0, 5) ** 2
    mask = ~(c == 0) & tt.isfinite(c)
    c = tt.concat([c, tt.zeros_like(c)], axis=0)[: len(mask)]
    u, s, vh = tt.linalg.svd(c.detach())
    values, indices = tt.topk(s, 1)
    w = tt.einsum("ij,jk->ik", u, vh)
    spectrum = tt.fft.rfft(w, axis=-1, norm="ortho")
    out = tt.sum(c, axis=0).max() + tt.real(spectrum).sum() + values.item() + indices.sum()
    out.backward()
    assert a.grad is not None
    a.grad *= 0.5
    moved = np.asarray(a.grad).mean() + float(out) + int(indices[0])
    return [out.item(), float(moved), *a.grad.astype(np.float64).flatten().tolist()]


def main() -> dict[str, float]:
    rng = np.random.default_rng(0)
    tt.manual_seed(0)
    train_set, test_set = random_split(Stripes(48, rng), [0.75, 0.25], generator=0)
    model = Classifier(channels=4, classes=2)
    losses = train(model, DataLoader(train_set, batch_size=12, shuffle=True))
    with tempfile.TemporaryDirectory() as folder:
        state = saved_and_loaded(model, Path(folder) / "model.safetensors")
    assert "head.weight" in state
    x = tt.randn(3, 16, requires_grad=True)
    cubes = Cube.apply(x, 2.0)
    softsign(cubes).sum().backward()
    plain = DataLoader(TensorDataset(np.arange(6.0)), batch_size=4)
    slope, *_ = transforms()
    gradients = by_weights(nn.Linear(16, 2), x.detach())
    assert slope.shape == (5,)
    assert gradients.keys() == {"weight", "bias"}
    assert len(arithmetic()) == 6
    return {
        "first": losses[0],
        "last": losses[-1],
        "accuracy": accuracy(model, DataLoader(test_set, batch_size=8)),
        "batches": float(len(plain)),
    }


if __name__ == "__main__":
    print(main())
