"""MTCNN's parts without its published weights: boxes, crops, what is read and what is refused."""

import zipfile

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.errors import DtypeError, ShapeError
from tinytensor.models import MTCNN
from tinytensor.models.vision.boxes import nms, overlaps
from tinytensor.models.vision.mtcnn import _crops, _squares, facenet_weights


def test_overlaps_are_shares_of_areas():
    box = np.array([0.0, 0.0, 4.0, 4.0])
    boxes = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [1, 1, 2, 2], [4, 0, 8, 4], [5, 5, 5, 5]], float)
    np.testing.assert_allclose(overlaps(box, boxes), [1, 8 / 24, 1 / 16, 0, 0])
    np.testing.assert_allclose(overlaps(box, boxes, "smaller"), [1, 0.5, 1, 0, 0])
    with_ends = [1, 15 / 35, 4 / 25, 5 / 45, 0]
    np.testing.assert_allclose(overlaps(box, boxes, border=1), with_ends)


def test_nms_keeps_the_best_of_those_that_overlap():
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 40, (60, 2))
    boxes = np.concatenate([first, first + rng.uniform(5, 20, (60, 2))], 1)
    scores = rng.random(60)
    kept = nms(boxes, scores, 0.3)
    assert (np.diff(scores[kept]) < 0).all()
    for place, index in enumerate(kept):
        assert (overlaps(boxes[index], boxes[kept[:place]]) <= 0.3).all()
    for index in set(range(60)) - set(kept.tolist()):
        better = kept[scores[kept] > scores[index]]
        assert (overlaps(boxes[index], boxes[better]) > 0.3).any()
    assert nms(np.zeros((0, 4)), [], 0.5).tolist() == []
    with pytest.raises(ShapeError, match=r"boxes must be \(N, 4\)"):
        nms([1, 2, 3, 4], [1], 0.5)
    with pytest.raises(ShapeError, match="1 boxes have scores of"):
        nms([[1, 2, 3, 4]], [1, 2], 0.5)


def test_squares_keep_the_centres():
    boxes = np.array([[0, 0, 4, 10], [2, 2, 8, 4]], np.float32)
    np.testing.assert_array_equal(_squares(boxes), [[-3, 0, 7, 10], [2, 0, 8, 6]])
    assert _squares(boxes[:0]).shape == (0, 4)


def test_crops_are_what_is_inside():
    pixels = np.arange(6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
    boxes = np.array([[2, 3, 5, 6], [-5, -5, 1, 1], [9, 1, 12, 4], [1, 1, 8, 6]], np.float32)
    inside, crops = _crops(pixels, boxes, 1)
    np.testing.assert_array_equal(inside, boxes[[0, 1, 3]])  # the third is beside the picture
    means = [pixels[2:6, 1:5].mean((0, 1)), pixels[0, 0], pixels.mean((0, 1))]
    np.testing.assert_allclose(crops[:, :, 0, 0] * 128 + 127.5, means, rtol=1e-6)


def test_a_cascade_of_any_weights_finds_boxes_or_none():
    tt.manual_seed(0)
    picture = np.random.default_rng(0).integers(256, size=(40, 50, 3), dtype=np.uint8)
    for thresholds in [(0, 0, 0), (1, 1, 1), (0, 1, 1), (0, 0, 1)]:
        model = MTCNN(thresholds=thresholds, image_size=24, keep_all=True)
        model.train()
        boxes, probabilities, landmarks = model.detect(picture)
        assert model.training
        count = len(boxes)
        assert (count > 0) == (thresholds == (0, 0, 0))
        assert probabilities.shape == (count,)
        assert landmarks.shape == (count, 5, 2)
        assert model(picture).shape == (count, 3, 24, 24)
    assert MTCNN(thresholds=(1, 1, 1))(picture) is None
    assert [len(f.boxes) for f in MTCNN(thresholds=(1, 1, 1)).detect([picture, picture])] == [0, 0]
    assert len(MTCNN().detect(picture[:5]).boxes) == 0  # too small for any face
    found = MTCNN(thresholds=(0, 0, 0), select_largest=False).detect(picture)
    assert (np.diff(found.probabilities) <= 0).all()


def test_cropped_faces():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[10:30, 20:40] = 255
    model = MTCNN(image_size=10, post_process=False)
    np.testing.assert_array_equal(model.crop(picture, [[20, 10, 40, 30]]), 255)
    around = MTCNN(image_size=10, margin=5, post_process=False).crop(picture, [[20, 10, 40, 30]])
    assert around.mean().item() == pytest.approx(255 / 4)  # a border of half the box on all sides
    values = MTCNN(image_size=10).crop(picture, [[20, 10, 40, 30], [0, 0, 5, 5]]).numpy()
    assert values[0].max() == pytest.approx(127.5 / 128)
    assert values[1].min() == pytest.approx(-127.5 / 128)
    for beside in ([-20, -20, -10, -10], [70, 50, 80, 60]):  # at least a pixel
        assert model.crop(picture, [beside]).shape == (1, 3, 10, 10)


def test_weights_come_from_a_wheel_or_a_folder(tmp_path):
    source = MTCNN()
    for name in ("pnet", "rnet", "onet"):
        tt.save(tmp_path / f"{name}.pt", getattr(source, name).state_dict())
    with zipfile.ZipFile(tmp_path / "faces.whl", "w") as wheel:
        for name in ("pnet", "rnet", "onet"):
            wheel.write(tmp_path / f"{name}.pt", f"facenet_pytorch/data/{name}.pt")
    for weights in (tmp_path, tmp_path / "faces.whl", str(tmp_path / "faces.whl")):
        state = MTCNN(weights=weights).state_dict()
        for name, value in source.state_dict().items():
            np.testing.assert_array_equal(state[name], value)
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("other.py", "")
    (tmp_path / "text.whl").write_text("no wheel")
    (tmp_path / "empty").mkdir()
    for name in ("other.whl", "text.whl"):
        with pytest.raises(ValueError, match=f"{name}' is not a wheel of facenet-pytorch"):
            facenet_weights(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="holds no pnet"):
        facenet_weights(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no wheel or folder"):
        facenet_weights(tmp_path / "none.whl")


def test_bad_arguments():
    for settings, message in [
        ({"factor": 1.0}, "factor must be between 0 and 1"),
        ({"min_face_size": 0}, "min_face_size must be above 0"),
        ({"thresholds": (0.5, 0.5)}, "thresholds are three"),
        ({"thresholds": (0.5, 0.5, 2)}, "thresholds must be from 0 to 1"),
        ({"margin": 160}, "margin must be from 0 to 159"),
    ]:
        with pytest.raises(ValueError, match=message):
            MTCNN(**settings)
    for picture in (np.zeros((20, 20)), np.zeros((20, 20, 4)), np.zeros((0, 20, 3))):
        with pytest.raises(ShapeError, match=r"a picture must be \(H, W, 3\)"):
            MTCNN().detect(picture)
    with pytest.raises(DtypeError, match="numbers from 0 to 255"):
        MTCNN().detect(np.full((20, 20, 3), "a"))
