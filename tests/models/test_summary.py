"""summary: its numbers against ones by hand and published ones, and that it leaves no trace."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.models import GPT, GPTConfig, LeNet, mobilenet_v2, resnet18, resnet20, summary

pytestmark = pytest.mark.no_c


def test_rows_of_lenet():
    found = summary(LeNet(), (2, 1, 28, 28))
    rows = [(r.name, r.kind, r.depth, r.output_shape, r.parameters) for r in found.rows]
    assert rows == [
        ("", "LeNet", 0, (2, 10), 61_706),
        ("conv1", "Conv2d", 1, (2, 6, 28, 28), 156),
        ("conv2", "Conv2d", 1, (2, 16, 10, 10), 2_416),
        ("fc1", "Linear", 1, (2, 120), 48_120),
        ("fc2", "Linear", 1, (2, 84), 10_164),
        ("fc3", "Linear", 1, (2, 10), 850),
    ]
    each = [25 * 6 * 28 * 28, 150 * 16 * 10 * 10, 400 * 120, 120 * 84, 84 * 10]
    assert [row.multiply_adds for row in found.rows] == [2 * n for n in [sum(each), *each]]
    assert found.parameter_bytes == found.gradient_bytes == 4 * 61_706
    assert found.input_bytes == 4 * 2 * 28 * 28
    assert found.rows[1].saved_bytes == found.input_bytes


@pytest.mark.parametrize(
    ("model", "size", "multiply_adds"),  # in 10⁹, as torchvision publishes them
    [(resnet18, 224, 1.814), (mobilenet_v2, 224, 0.301)],
)
def test_multiply_adds_are_the_published_ones(model, size, multiply_adds):
    found = summary(model(), (1, 3, size, size))
    assert found.multiply_adds / 1e9 == pytest.approx(multiply_adds, abs=0.0006)


def test_multiply_adds_of_other_layers():
    x = (2, 6, 8)
    volume, line = (1, 2, 5, 6, 7), (2, 3, 9)
    for layer, shape, expected in [
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 5), 2 * 4 * 25 * 6 * 9),
        (nn.Conv2d(4, 8, 3, groups=4), (1, 4, 6, 6), 8 * 16 * 9),
        (nn.Conv1d(3, 4, 3), line, 2 * 4 * 7 * 9),
        (nn.Conv3d(2, 3, 2), volume, 3 * 4 * 5 * 6 * 16),
        (nn.LSTM(8, 5), x, 12 * (4 * 5 * 8 + 4 * 5 * 5)),
        (nn.GRU(8, 5, num_layers=2), x, 12 * (15 * 8 + 15 * 5 + 2 * 15 * 5)),
        (nn.RNN(8, 5, bidirectional=True), x, 2 * 12 * (5 * 8 + 5 * 5)),
    ]:
        assert summary(layer, shape).multiply_adds == expected, layer
    heads = summary(nn.MultiheadAttention(8, 2, batch_first=True), ((2, 6, 8),) * 3)
    assert heads.multiply_adds == 12 * (4 * 8 * 8 + 2 * 6 * 8)


def test_saved_bytes_are_what_the_graph_holds():
    model, x = resnet20(), tt.rand((2, 3, 16, 16))
    for mode in ("train", "eval"):
        found = summary(model, x, mode=mode)
        getattr(model, mode)()
        with tt.saved_memory() as ledger:
            out = model(x)
        assert found.saved_bytes == ledger.total > 0
        del out
    first = [row for row in found.rows if row.depth == 1]
    assert sum(row.saved_bytes for row in first) <= found.saved_bytes
    assert sum(row.multiply_adds for row in first) == found.multiply_adds
    frozen = summary(resnet20().requires_grad_(False), (2, 3, 16, 16))
    assert (frozen.saved_bytes, frozen.gradient_bytes, frozen.trainable) == (0, 0, 0)
    assert "272,474 of them fixed" in str(frozen)


def test_it_leaves_no_trace():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    model[1].eval()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    state = tt.get_rng_state()
    with tt.no_grad():
        assert summary(model, np.ones((2, 1, 4, 4), np.float32), mode="train").saved_bytes
        assert not tt.is_grad_enabled()
    assert [m.training for m in model.modules()] == [True, True, False, True]
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert str(tt.get_rng_state()) == str(state)
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(tt.ShapeError):
        summary(model, (2, 5, 4, 4))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert model.training


def test_inputs():
    class Two(nn.Module):
        def forward(self, x, y=None):
            return {"x": x, "both": (x + y, None)}

    for given in (((2, 3), (1, 3)), [tt.ones((2, 3)), np.ones((1, 3))], {"x": (2, 3), "y": (3,)}):
        assert summary(Two(), given).rows[0].output_shape == {
            "x": (2, 3),
            "both": [(2, 3), "NoneType"],
        }
    tokens = summary(GPT(GPTConfig(n_layer=1)), (2, 5), dtype="int64", depth=1)
    assert tokens.rows[0].output_shape == (2, 5, 96)
    with pytest.raises(TypeError, match="model is a Module"):
        summary(lambda x: x, (2, 3))
    with pytest.raises(ValueError, match="mode is 'eval' or 'train'"):
        summary(Two(), (2, 3), mode="test")


def test_shared_modules_count_once():
    shared = nn.Linear(3, 3)
    found = summary(nn.Sequential(shared, nn.Sequential(shared, nn.ReLU())), (2, 3))
    assert found.parameters == 12
    assert [row.parameters for row in found.rows] == [12, 12, 0, 0, 0]
    assert found.multiply_adds == 36


def test_lazy_modules_get_their_shapes_and_no_averages():
    lazy = [nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(3)]
    found = summary(nn.Sequential(*lazy), tt.rand((2, 1, 6, 6)), mode="train")
    assert [row.kind for row in found.rows[1:]] == ["Conv2d", "BatchNorm2d", "Flatten", "Linear"]
    assert [row.parameters for row in found.rows] == [243, 40, 8, 0, 195]
    assert not lazy[1].running_mean.numpy().any()


def test_table():
    found = summary(resnet18(num_classes=10), (1, 3, 32, 32), depth=1)
    lines = str(found).splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "multiply-adds", "saved", "bytes"]
    assert len(lines) == 2 + 10 + 4
    assert "  layer1: Sequential" in lines[6]
    assert len(found.rows) > 50
    page = found._repr_html_()
    assert page.count("<tr>") == 12
    assert "11,181,642 parameters" in page
