"""The models beside PyTorch's, from the same weights and batches."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytensor as tt  # noqa: E402
from benchmarks.parity import MODELS, losses_of_each  # noqa: E402
from tinytensor.data import RandomWindows  # noqa: E402
from tinytensor.models import LeNet, UNet, resnet20  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.mark.parametrize("name", MODELS)
def test_language_models_learn_alike(name):
    # Text with something to learn: each code is the one before it, plus one or two.
    codes = np.random.default_rng(0).integers(1, 3, size=5000).cumsum() % 8
    ours, theirs, exact = losses_of_each(name, RandomWindows(codes, 16, 4, steps=10, generator=0))
    assert ours[-1] < ours[0] - 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(ours, exact, atol=1e-5)


class Residual(torch.nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(outputs)
        self.conv2 = torch.nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(outputs)
        if inputs != outputs:
            self.downsample = torch.nn.Sequential(
                torch.nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                torch.nn.BatchNorm2d(outputs),
            )

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        x = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(x)) + shortcut).relu()


class TorchResNet20(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        stages = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        for i, (inputs, outputs, stride) in enumerate(stages, start=1):
            rest = [Residual(outputs, outputs) for _ in range(2)]
            stage = torch.nn.Sequential(Residual(inputs, outputs, stride), *rest)
            self.add_module(f"layer{i}", stage)
        self.fc = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class TorchLeNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1 = torch.nn.Linear(400, 120)
        self.fc2 = torch.nn.Linear(120, 84)
        self.fc3 = torch.nn.Linear(84, 10)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(self.conv1(x).relu(), 2)
        x = torch.nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


@pytest.mark.parametrize(
    ("model", "torch_model", "shape"),
    [(LeNet, TorchLeNet, (4, 1, 28, 28)), (resnet20, TorchResNet20, (2, 3, 32, 32))],
)
def test_image_models_have_the_values_and_gradients_of_torch(model, torch_model, shape):
    tt.manual_seed(0)
    ours, theirs = model(), torch_model()
    state = {key: torch.from_numpy(np.array(value)) for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    rng = np.random.default_rng(0)
    images = rng.normal(size=shape).astype(np.float32)
    labels = rng.integers(10, size=shape[0])

    loss = tt.nn.functional.cross_entropy(ours(tt.tensor(images)), tt.tensor(labels))
    loss.backward()
    their_loss = torch.nn.functional.cross_entropy(
        theirs(torch.from_numpy(images)), torch.from_numpy(labels)
    )
    their_loss.backward()
    assert loss.item() == pytest.approx(their_loss.item(), rel=1e-4)
    gradients = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        expected = gradients[name]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            parameter.grad.numpy(), expected, atol=1e-3 * scale, err_msg=name
        )
    for name, buffer in ours.named_buffers():
        np.testing.assert_allclose(
            buffer.numpy(), theirs.state_dict()[name].numpy(), rtol=1e-3, atol=1e-5, err_msg=name
        )


def twice(inputs, outputs):
    layers = [
        torch.nn.Sequential(
            torch.nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(outputs),
            torch.nn.ReLU(),
        )
        for channels in (inputs, outputs)
    ]
    return torch.nn.Sequential(*layers)


class TorchUp(torch.nn.Module):
    def __init__(self, inputs, outputs, bilinear):
        super().__init__()
        self.bilinear = bilinear
        self.up = (
            torch.nn.Conv2d(inputs, outputs, 1)
            if bilinear
            else torch.nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        )
        self.conv = twice(2 * outputs, outputs)

    def forward(self, x, skip):
        if self.bilinear:
            # Interpolation and a 1×1 convolution may change places: here it comes first.
            x = torch.nn.functional.interpolate(x, skip.shape[-2:], mode="bilinear")
            x = self.up(x)
        else:
            x = self.up(x, output_size=skip.shape[-2:])
        return self.conv(torch.cat((skip, x), 1))


class TorchUNet(torch.nn.Module):
    def __init__(self, bilinear):
        super().__init__()
        self.first = twice(3, 4)
        self.down = torch.nn.ModuleList([twice(4, 6), twice(6, 8)])
        self.up = torch.nn.ModuleList([TorchUp(8, 6, bilinear), TorchUp(6, 4, bilinear)])
        self.last = torch.nn.Conv2d(4, 2, 1)

    def forward(self, x):
        skips = [self.first(x)]
        for down in self.down:
            skips.append(down(torch.nn.functional.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        for up in self.up:
            x = up(x, skips.pop())
        return self.last(x)


@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize("size", [(16, 12), (13, 15)])
def test_a_unet_has_the_values_and_gradients_of_torch(bilinear, size):
    tt.manual_seed(0)
    ours = UNet(3, 2, channels=(4, 6, 8), bilinear=bilinear).double()
    theirs = TorchUNet(bilinear).double()
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    images = np.random.default_rng(0).normal(size=(2, 3, *size))
    out, expected = ours(tt.tensor(images)), theirs(torch.from_numpy(images))
    np.testing.assert_allclose(out.detach(), expected.detach(), rtol=1e-9, atol=1e-11)
    (out**2).mean().backward()
    (expected**2).mean().backward()
    gradients = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        near = max(1e-8 * np.abs(gradients[name]).max(), 1e-12)
        np.testing.assert_allclose(
            parameter.grad.numpy(), gradients[name], rtol=0, atol=near, err_msg=name
        )
