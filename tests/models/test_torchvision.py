"""torchvision's architectures: the same keys and shapes; the same logits and gradients from weights
that went from one to the other in a file."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

import tinytensor as tt  # noqa: E402
from tinytensor import models  # noqa: E402
from tinytensor.models.vision import vgg  # noqa: E402
from tinytensor.models.vision.blocks import with_weights  # noqa: E402

from .of_torchvision import torchvision  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

THEIRS = torchvision.models
SMALL = ["resnet18", "resnet34", "resnet50", "resnext50_32x4d", "mobilenet_v2", "convnext_tiny"]
FORMATS = [".safetensors", ".pt"]
LARGE = ["resnet101", "resnet152", "wide_resnet50_2", "convnext_small", "convnext_base"]


def drawn(theirs):
    """Their model in evaluation mode, in which no weight leaves the logits as they are."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in theirs.state_dict().items():
            if tensor.ndim == 1 and name.endswith("weight"):  # of a norm: logits are of some tens
                tensor.uniform_(0.3, 1.1, generator=generator)
            elif name.endswith(("running_var", "layer_scale")):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith(("running_mean", "bias")):
                tensor.normal_(0, 0.1, generator=generator)
    return theirs.eval()


def shapes(state):
    return {name: tuple(value.shape) for name, value in state.items()}


def logits_of_both(ours, theirs, size):
    images = np.random.default_rng(0).normal(size=(2, 3, size, size)).astype(np.float32)
    with torch.no_grad(), tt.no_grad():
        return ours.eval()(tt.tensor(images)).numpy(), theirs(torch.from_numpy(images)).numpy()


def assert_same_logits(ours, theirs, size=64):
    found, expected = logits_of_both(ours, theirs, size)
    scale = np.abs(expected).max()
    assert expected.std() > 1e-3 * scale  # which says something
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_keys_and_shapes(name, monkeypatch):
    for draw in ("fan_in_uniform_", "kaiming_normal_", "trunc_normal_"):  # which take long
        monkeypatch.setattr(tt.nn.init, draw, lambda *_, **__: None)
    with torch.device("meta"):
        theirs = getattr(THEIRS, name)().state_dict()
    ours = getattr(models, name)().state_dict()
    assert shapes(ours) == shapes(theirs)
    assert list(ours) == list(theirs)


@pytest.mark.parametrize("layers", [11, 13, 16, 19])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_keys_and_shapes_of_vgg(layers, batch_norm):
    configuration = THEIRS.vgg.cfgs[{11: "A", 13: "B", 16: "D", 19: "E"}[layers]]
    with torch.device("meta"):
        theirs = THEIRS.vgg.make_layers(configuration, batch_norm).state_dict()
    assert shapes(vgg.features(vgg.CONVOLUTIONS[layers], batch_norm).state_dict()) == shapes(theirs)


def passed_on(theirs, ours, path):
    """Our model with their weights, which went through a file."""
    write = {".pt": torch.save, ".safetensors": save_file}[path.suffix]
    write(theirs.state_dict(), path)
    return ours(weights=path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", SMALL)
def test_logits_of_weights_from_them(name, suffix, tmp_path):
    theirs = drawn(getattr(THEIRS, name)(num_classes=20))
    ours = partial(getattr(models, name), num_classes=20)
    assert_same_logits(passed_on(theirs, ours, tmp_path / f"theirs{suffix}"), theirs)


def test_vgg_with_a_smaller_head(tmp_path, monkeypatch):
    """All of it would be half a gigabyte: the names are compared of all, the logits of this."""
    monkeypatch.setattr(tt.nn.init, "fan_in_uniform_", lambda *_: None)
    monkeypatch.setattr(tt.nn.init, "normal_", lambda *_: None)
    ours = models.vgg11_bn()
    with torch.device("meta"):
        theirs = THEIRS.vgg11_bn()
    assert shapes(ours.state_dict()) == shapes(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())

    theirs.features = THEIRS.vgg.make_layers(THEIRS.vgg.cfgs["A"], batch_norm=True)
    for place, (inputs, outputs) in {0: (512 * 49, 64), 3: (64, 64), 6: (64, 10)}.items():
        ours.classifier[place] = tt.nn.Linear(inputs, outputs)
        theirs.classifier[place] = torch.nn.Linear(inputs, outputs)
    drawn(theirs)
    ours = passed_on(theirs, partial(with_weights, ours), tmp_path / f"theirs{FORMATS[-1]}")
    assert_same_logits(ours, theirs, 32)


@pytest.mark.parametrize("name", SMALL)
def test_logits_of_weights_to_them(name, tmp_path):
    ours, theirs = (getattr(of, name)(num_classes=20) for of in (models, THEIRS))
    ours.load_state_dict({k: v.numpy() for k, v in drawn(theirs).state_dict().items()})
    tt.save(tmp_path / "ours.safetensors", ours.state_dict())
    again = getattr(THEIRS, name)(num_classes=20).eval()
    again.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    assert_same_logits(ours, again)


def small_convnext(of, config):
    return of([config(8, 16, 2), config(16, None, 1)], layer_scale=0.5, num_classes=10)


PAIRS = {
    "ResNet-18": lambda of: of.resnet18(num_classes=10),
    "ResNet of few dilated groups": lambda of: of.resnet.ResNet(
        of.resnet.Bottleneck,
        [1, 2, 2, 1],
        num_classes=10,
        groups=4,
        width_per_group=8,
        replace_stride_with_dilation=[False, True, True],
    ),
    "MobileNetV2": lambda of: of.mobilenet_v2(num_classes=10, width_mult=0.35, dropout=0.0),
    "ConvNeXt": lambda of: small_convnext(of.convnext.ConvNeXt, of.convnext.CNBlockConfig),
}


@pytest.mark.parametrize("name", PAIRS)
def test_gradients(name):
    from tinytensor.models import vision

    theirs = PAIRS[name](THEIRS).double()
    ours = PAIRS[name](vision).double()
    drawn(theirs).train()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(4, 3, 48, 40)), rng.integers(10, size=4)
    loss = tt.nn.functional.cross_entropy(ours(tt.tensor(images)), tt.tensor(labels))
    their_loss = torch.nn.functional.cross_entropy(
        theirs(torch.from_numpy(images)), torch.from_numpy(labels)
    )
    loss.backward()
    their_loss.backward()
    assert loss.item() == pytest.approx(their_loss.item(), rel=1e-9)
    expected = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        near = max(1e-7 * np.abs(expected[name]).max(), 1e-12)  # 0: a bias before a batch norm
        np.testing.assert_allclose(
            parameter.grad.numpy(), expected[name], atol=near, rtol=0, err_msg=name
        )
    for name, buffer in ours.named_buffers():
        np.testing.assert_allclose(
            buffer.numpy(), theirs.state_dict()[name].numpy(), rtol=1e-9, err_msg=name
        )


def test_drawn_weights_are_spread_as_theirs():
    """Each start of a kind of layer, by its standard deviation."""
    for name in ("resnet18", "mobilenet_v2", "convnext_tiny"):
        theirs, ours = getattr(THEIRS, name)(), getattr(models, name)()
        expected = theirs.state_dict()
        for key, value in ours.state_dict().items():
            spread, other = value.numpy().std(), expected[key].numpy().std()
            assert spread == pytest.approx(other, rel=max(0.05, 8 / value.size**0.5)), key
