"""MTCNN with its published weights beside the package that carries them."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
for package in ("facenet_pytorch", "skimage"):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed", allow_module_level=True)

from skimage import data  # noqa: E402
from skimage.transform import resize  # noqa: E402

import tinytensor as tt  # noqa: E402
from tinytensor.models import MTCNN  # noqa: E402

from . import of_torchvision  # noqa: E402, F401

facenet_pytorch = import_module("facenet_pytorch")  # which asks for the ops of torchvision

pytestmark = pytest.mark.usefixtures("one_torch_thread")

WEIGHTS = Path(facenet_pytorch.__file__).parent


def crowd():
    """The astronaut at several sizes, mirrored too, on one picture."""
    one = data.astronaut()[:256, 64:320]
    picture = np.full((420, 640, 3), 90, np.uint8)
    for top, left, side in [(10, 10, 256), (20, 300, 160), (230, 290, 128), (300, 20, 96)]:
        small = (resize(one, (side, side), anti_aliasing=True) * 255).astype(np.uint8)
        picture[top : top + side, left : left + side] = small
    small = (resize(one[:, ::-1], (200, 200), anti_aliasing=True) * 255).astype(np.uint8)
    picture[200:400, 430:630] = small
    return picture


@pytest.fixture(scope="module")
def both():
    return MTCNN(weights=WEIGHTS), facenet_pytorch.MTCNN(keep_all=True)


def test_keys_and_outputs_of_the_networks(both):
    ours, theirs = both
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, size in [("pnet", 40), ("rnet", 24), ("onet", 48)]:
        x = np.random.default_rng(0).normal(size=(3, 3, size, size)).astype(np.float32)
        with torch.no_grad():
            expected = getattr(theirs, name)(torch.from_numpy(x))
        for found, other in zip(getattr(ours, name)(tt.tensor(x)), expected, strict=True):
            np.testing.assert_allclose(found.detach(), other, atol=1e-5)


@pytest.mark.parametrize(
    ("picture", "faces"),
    [(data.astronaut, 1), (crowd, 5), (data.coffee, 0)],
    ids=["astronaut", "crowd", "coffee"],
)
def test_faces_are_those_of_torch(both, picture, faces):
    ours, theirs = both
    pixels = picture()
    found, expected = ours.detect(pixels), theirs.detect(pixels, landmarks=True)
    assert len(found.boxes) == faces
    if not faces:
        assert expected[0] is None
        return
    order = np.argsort(-found.boxes[:, 0]), np.argsort(-np.array(expected[0], np.float64)[:, 0])
    for one, other in zip(found, expected, strict=True):
        other = np.array(other, np.float64)
        np.testing.assert_allclose(one[order[0]], other[order[1]], atol=1e-4, rtol=0)


def test_settings(both):
    pixels = crowd()
    options = {"min_face_size": 60, "thresholds": [0.5, 0.6, 0.9], "factor": 0.6}
    ours = MTCNN(weights=WEIGHTS, select_largest=False, **options).detect(pixels)
    theirs = facenet_pytorch.MTCNN(select_largest=False, **options).detect(pixels, landmarks=True)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, np.array(other, np.float64), atol=1e-4, rtol=0)
