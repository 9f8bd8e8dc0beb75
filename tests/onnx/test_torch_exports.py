"""Files that PyTorch's exporter writes: outputs, state and gradients as PyTorch's."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

torch = pytest.importorskip("torch")
nn = torch.nn
F = nn.functional
pytestmark = [pytest.mark.no_c, pytest.mark.usefixtures("one_torch_thread")]


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Any) -> Any:
        return torch.relu(x + self.conv2(torch.relu(self.bn1(self.conv1(x)))))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layers = nn.Sequential(Residual(8), Residual(8))
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        x = self.layers(self.pool(F.relu6(self.stem(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Mobile(nn.Module):
    """Depthwise convolutions, squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 12, 1)
        self.deep = nn.Conv2d(12, 12, 5, 2, 2, groups=12)
        self.norm = nn.BatchNorm2d(12)
        self.squeeze, self.excite = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)
        self.head = nn.Linear(12, 6)

    def forward(self, x: Any) -> Any:
        x = F.hardswish(self.norm(self.deep(F.hardswish(self.wide(x)))))
        x = x * F.hardsigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        return F.log_softmax(self.head(F.avg_pool2d(x, 2).amax((-2, -1))), -1)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.low = (
            nn.Conv2d(3, 6, 3, padding=1),
            nn.Conv2d(6, 6, 3, padding=2, dilation=2),
        )
        self.up = nn.ConvTranspose2d(6, 6, 4, 2, 1)
        self.norm, self.out = nn.GroupNorm(3, 12), nn.Conv2d(12, 2, 1)
        self.slope = nn.PReLU(6)

    def forward(self, x: Any) -> Any:
        x = self.slope(self.down(x))
        low = F.elu(self.low(F.avg_pool2d(x, 2)))
        x = torch.cat([self.up(low), F.interpolate(low, scale_factor=2.0)[:, :6] + x], 1)
        return self.out(F.silu(self.norm(x)))[..., 1:-1, ::2]


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.positions = nn.Parameter(torch.randn(16, 8))
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 8))

    def forward(self, tokens: Any) -> Any:
        n, t = tokens.shape
        x = self.embedding(tokens) + self.positions[:t]
        y = self.norm1(x)
        q, k, v = (f(y).view(n, t, 2, 4).transpose(1, 2) for f in (self.q, self.k, self.v))
        hidden = torch.ones(t, t, dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(-1, -2) / 2).masked_fill(hidden, float("-inf"))
        x = x + self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, 8))
        x = x + self.mlp(self.norm2(x))
        return x @ self.embedding.weight.T


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, padding=1)
        self.lstm = nn.LSTM(6, 5, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(10, 4, num_layers=2, batch_first=True)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        x, _ = self.lstm(torch.tanh(self.conv(x)).transpose(1, 2))
        x, last = self.gru(x)
        return self.out(x), last[-1].softmax(-1)


IMAGE = (2, 3, 16, 16)
NETWORKS = {
    "resnet": (ResNet, IMAGE),
    "mobile": (Mobile, IMAGE),
    "unet": (UNet, IMAGE),
    "transformer": (Transformer, (2, 7)),
    "recurrent": (Recurrent, (2, 4, 9)),
}


def exported(net: Any, x: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its way of recording is an old one
        torch.onnx.export(net, (x,), file, dynamo=False, input_names=["x"], **how)
    return file.getvalue()


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    torch.manual_seed(0)
    kind, shape = NETWORKS[name]
    net = kind().eval()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.1, 0.1)
            part.running_var.uniform_(0.5, 2)
    x = torch.randint(20, shape) if name == "transformer" else torch.randn(shape)
    how = {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
    data = exported(net, x, dynamic_axes={"x": {0: "n"}}, opset_version=17, **how)
    module = tt.onnx.load(data)
    more = torch.cat([x, x.flip(0)[:1]])  # of another number than the example
    got, want = module(more.numpy()), net(more)
    for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (got, want)), strict=True):
        assert np.allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)

    if name == "recurrent":
        got, want = got[0], want[0]
    (got * got).sum().backward()
    (want * want).sum().backward()
    theirs = dict(net.named_parameters())
    ours = dict(module.named_parameters())
    same = ours.keys() & theirs.keys()
    assert len(same) == len(theirs) or name == "recurrent"  # whose weights are in ONNX's order
    largest = max(float(p.grad.abs().max()) for p in theirs.values())
    for key in same:
        gradient = theirs[key].grad.numpy()
        assert np.allclose(ours[key].grad.numpy(), gradient, 1e-3, 1e-5 * largest), key


@pytest.mark.parametrize("opset", [13, 20])
def test_folded_files(opset: int) -> None:
    """What a user exports who asks for nothing."""
    torch.manual_seed(0)
    net, x = ResNet().eval(), torch.randn(IMAGE)
    module = tt.onnx.load(exported(net, x, opset_version=opset))
    assert np.allclose(module(x.numpy()).detach(), net(x).detach(), rtol=1e-4, atol=1e-5)
    assert "BatchNormalization" not in {node.op_type for node in module.nodes()}


def test_a_net_that_was_imported_trains_as_the_original() -> None:
    torch.manual_seed(0)
    net, x = Mobile(), torch.randn(4, 3, 8, 8)
    how = {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
    module = tt.onnx.load(exported(net.eval(), x, **how)).train()
    net.train()
    for _ in range(3):
        losses = []
        for model, images, still in ((net, x, torch.no_grad), (module, x.numpy(), tt.no_grad)):
            loss = -model(images)[:, 1].mean()
            loss.backward()
            losses.append(loss.item())
            with still():
                for parameter in model.parameters():
                    parameter -= 0.05 * parameter.grad
                    parameter.grad = None
        assert np.isclose(*losses, rtol=1e-4)
    assert np.allclose(
        module.norm.running_mean.numpy(), net.norm.running_mean, rtol=1e-3, atol=1e-5
    )
