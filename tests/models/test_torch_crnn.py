"""Networks that find and read text, beside the same in PyTorch: with the weights that EasyOCR
publishes where the package that carries them is installed, otherwise with drawn ones."""

from collections import OrderedDict
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytensor as tt  # noqa: E402
from tinytensor.models import CRAFT, CRNN  # noqa: E402

from .lines_of_text import rendered  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

T = torch.nn
PACKAGE = find_spec("easyocr_en_models")


def convolved(inputs, outputs, size=3, *, norm, bias=None):
    layers = [T.Conv2d(inputs, outputs, size, padding=size // 2, bias=not norm or bool(bias))]
    return [*layers, T.BatchNorm2d(outputs), T.ReLU()] if norm else [*layers, T.ReLU()]


class BothWays(T.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.rnn = T.LSTM(inputs, hidden, bidirectional=True, batch_first=True)
        self.linear = T.Linear(2 * hidden, hidden)

    def forward(self, x):
        return self.linear(self.rnn(x)[0])


class Reader(T.Module):
    def __init__(self, c, hidden, classes):
        super().__init__()
        layers = [
            *convolved(1, c // 8, norm=False), T.MaxPool2d(2),
            *convolved(c // 8, c // 4, norm=False), T.MaxPool2d(2),
            *convolved(c // 4, c // 2, norm=False),
            *convolved(c // 2, c // 2, norm=False), T.MaxPool2d((2, 1)),
            *convolved(c // 2, c, norm=True),
            *convolved(c, c, norm=True), T.MaxPool2d((2, 1)),
            T.Conv2d(c, c, 2), T.ReLU(),
        ]  # fmt: skip
        self.FeatureExtraction = T.Sequential(OrderedDict(ConvNet=T.Sequential(*layers)))
        self.pool = T.AdaptiveAvgPool2d((None, 1))
        self.SequenceModeling = T.Sequential(BothWays(c, hidden), BothWays(hidden, hidden))
        self.Prediction = T.Linear(hidden, classes)

    def forward(self, x):
        columns = self.pool(self.FeatureExtraction(x).permute(0, 3, 1, 2)).squeeze(3)
        return self.Prediction(self.SequenceModeling(columns))


class Finder(T.Module):
    """The ReLUs in place change what was kept of the stage before, all but of the last."""

    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for count, width in ((2, 64), (2, 128), (3, 256), (3, 512), (2, 512)):
            for _ in range(count):
                layers += convolved(channels, width, norm=True, bias=True)
                layers[-1].inplace = True
                channels = width
            layers.append(T.MaxPool2d(2))
        self.basenet = T.Module()
        for i, (start, end) in enumerate(pairwise((0, 12, 19, 29, 39)), 1):
            named = OrderedDict((str(k), layers[k]) for k in range(start, end))
            setattr(self.basenet, f"slice{i}", T.Sequential(named))
        self.basenet.slice5 = T.Sequential(
            T.MaxPool2d(3, 1, 1), T.Conv2d(512, 1024, 3, padding=6, dilation=6),
            T.Conv2d(1024, 1024, 1),
        )  # fmt: skip
        for i, (a, b, c) in enumerate(
            [(1536, 512, 256), (768, 256, 128), (384, 128, 64), (192, 64, 32)], 1
        ):
            both = [
                *convolved(a, b, 1, norm=True, bias=True),
                *convolved(b, c, norm=True, bias=True),
            ]
            setattr(self, f"upconv{i}", T.Sequential(OrderedDict(conv=T.Sequential(*both))))
        self.conv_cls = T.Sequential(
            *convolved(32, 32, norm=False), *convolved(32, 32, norm=False),
            *convolved(32, 16, norm=False), *convolved(16, 16, 1, norm=False),
            T.Conv2d(16, 2, 1),
        )  # fmt: skip

    def forward(self, x):
        kept = []
        for i in range(1, 6):
            x = getattr(self.basenet, f"slice{i}")(x)
            kept.append(x)
        for i, level in enumerate(kept[-2::-1], 1):
            if i > 1:
                x = T.functional.interpolate(x, size=level.shape[2:], mode="bilinear")
            x = getattr(self, f"upconv{i}")(torch.cat([x, level], 1))
        return self.conv_cls(x)


def with_weights(theirs, name, folder):
    """Theirs in evaluation mode, and the file of its weights, whose names begin with "module."."""
    if PACKAGE is not None:
        path = Path(PACKAGE.origin).parent / "models" / name
        state = torch.load(path, map_location="cpu", weights_only=True)
    else:
        torch.manual_seed(0)
        for tensor in theirs.state_dict().values():
            if tensor.ndim > 1:
                std = (2 / tensor[0].numel()) ** 0.5
                tensor.normal_(0, std)
        path, state = folder / name, {f"module.{k}": v for k, v in theirs.state_dict().items()}
        torch.save(state, path)
    theirs.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
    return theirs.eval(), path


def assert_same(ours, theirs, x):
    with torch.no_grad(), tt.no_grad():
        expected = theirs(torch.from_numpy(x)).numpy()
        found = ours.eval()(tt.tensor(x)).numpy()
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_logits_of_the_reader(tmp_path):
    theirs, path = with_weights(Reader(256, 256, 97), "english_g2.pth", tmp_path)
    ours = CRNN(weights=path)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    lines = np.stack([rendered(text, 64, 200) for text in ("Tensors, 1-2-3.", "(x + y) = 90%")])
    assert_same(ours, theirs, lines[:, None])
    rng = np.random.default_rng(0)
    for height, width in ((64, 77), (32, 8), (70, 203)):
        assert_same(ours, theirs, rng.normal(size=(2, 1, height, width)).astype(np.float32))


def test_gradients_of_the_reader():
    torch.manual_seed(0)
    theirs = Reader(16, 8, 5).double()
    ours = CRNN(output_channel=16, hidden_size=8, num_class=5).double()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(3, 1, 32, 30))
    theirs(torch.from_numpy(x)).square().sum().backward()
    (ours(tt.tensor(x)) ** 2).sum().backward()
    for (name, found), expected in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(found.grad, expected.grad, atol=1e-8, err_msg=name)


def test_scores_of_the_finder(tmp_path):
    theirs, path = with_weights(Finder(), "craft_mlt_25k.pth", tmp_path)
    ours = CRAFT(weights=path)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    line = rendered("Tensors", 37, 90)
    assert_same(ours, theirs, np.stack([line, line, 0.5 * line])[None])
