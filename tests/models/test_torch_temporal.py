"""TCN beside the same network in PyTorch, from the same weights; what an output sees."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.models import TCN

torch = pytest.importorskip("torch")
tnn = torch.nn


class Block(tnn.Module):
    """Padded on both sides, with what is behind the end cut away."""

    def __init__(self, inputs, outputs, kernel_size, dilation):
        super().__init__()
        how = {"padding": (kernel_size - 1) * dilation, "dilation": dilation}
        normed = tnn.utils.parametrizations.weight_norm
        self.conv1 = normed(tnn.Conv1d(inputs, outputs, kernel_size, **how))
        self.conv2 = normed(tnn.Conv1d(outputs, outputs, kernel_size, **how))
        if inputs != outputs:
            self.downsample = tnn.Conv1d(inputs, outputs, 1)

    def forward(self, x):
        y = self.conv1(x)[..., : x.shape[2]].relu()
        y = self.conv2(y)[..., : x.shape[2]].relu()
        return (y + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


def test_values_and_gradients():
    tt.manual_seed(0)
    ours = TCN(2, [4, 4, 3], kernel_size=3, dropout=0.5).to("float64").eval()
    sizes = [(2, 4), (4, 4), (4, 3)]
    theirs = tnn.Module()
    theirs.network = tnn.Sequential(*(Block(a, b, 3, 2**i) for i, (a, b) in enumerate(sizes)))
    theirs.double().load_state_dict(
        {key: torch.tensor(value.numpy()) for key, value in ours.state_dict().items()}
    )
    x = np.random.default_rng(0).normal(size=(2, 2, 20))
    a, b = tt.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    out, want = ours(a), theirs.network(b)
    np.testing.assert_allclose(out.numpy(), want.detach(), rtol=1e-10, atol=1e-12)
    (out**2).sum().backward()
    (want**2).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad, rtol=1e-10, atol=1e-12)
    for (name, one), other in zip(
        ours.named_parameters(), dict(theirs.named_parameters()).values(), strict=True
    ):
        np.testing.assert_allclose(one.grad.numpy(), other.grad, 1e-10, 1e-12, err_msg=name)


def test_an_output_sees_its_receptive_field():
    tt.manual_seed(0)
    model = TCN(1, [3, 3, 3], kernel_size=2).eval()
    assert model.receptive_field == 15
    x = tt.tensor(np.random.default_rng(0).normal(size=(1, 1, 24)).astype("f"), requires_grad=True)
    for t in (23, 20, 3):
        (dx,) = tt.grad((model(x)[..., t] ** 2).sum(), [x])
        seen = np.flatnonzero(dx.numpy()[0, 0])
        assert seen.max() <= t
        assert seen.min() >= max(0, t - 14)
        if t < 5:
            assert seen.min() == 0


def test_dropout_takes_channels():
    tt.manual_seed(0)
    model = TCN(1, [64], dropout=0.5)
    with tt.no_grad():
        model.network[0].downsample.weight.zero_()
        model.network[0].downsample.bias.zero_()
    whole = model(tt.randn((4, 1, 50))).numpy()
    assert 0.2 < (whole == 0).all(2).mean() < 0.95
    for make, message in (
        (lambda: TCN(0, [2]), "inputs must be at least 1"),
        (lambda: TCN(1, []), "channels must be at least 1"),
        (lambda: TCN(1, [2], dropout=2.0), "dropout must be from 0 to 1"),
        (lambda: TCN(1, [2])(tt.ones((1, 2, 3))), r"x must be \(batch, 1, steps\)"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
