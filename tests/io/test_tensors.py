"""Files of tensors: what is saved comes back, and what is damaged is told."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tinytensor as tt
from tinytensor import nn, optim


def test_a_state_dict_is_a_plain_safetensors_file(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    tt.save(tmp_path / "model.safetensors", model.state_dict(), {"epoch": "3"})
    plain = load_file(tmp_path / "model.safetensors")
    assert set(plain) == set(model.state_dict())
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    other.load_state_dict(tt.load(tmp_path / "model.safetensors"))
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, model.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_training_run_comes_back(tmp_path):
    model = nn.Linear(2, 2)
    optimizer = optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(tt.ones((1, 2))).sum().backward()
        optimizer.step()
    path = tmp_path / "run.safetensors"
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": None,
        "history": [1.5, {"x": (tt.ones(2), "note")}],
    }
    tt.save(path, state)
    loaded = tt.load(path)
    assert (loaded["epoch"], loaded["best"], loaded["history"][0]) == (3, None, 1.5)
    assert loaded["history"][1]["x"][1] == "note"
    assert loaded["optimizer"]["param_groups"][0]["betas"] == (0.9, 0.999)
    other = nn.Linear(2, 2)
    other.load_state_dict(loaded["model"])
    resumed = optim.AdamW(other.parameters())
    resumed.load_state_dict(loaded["optimizer"])
    for m, o in ((model, optimizer), (other, resumed)):
        o.zero_grad()
        m(tt.ones((1, 2))).sum().backward()
        o.step()
    assert model.weight.tolist() == other.weight.tolist()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(6, dtype=np.int64)[::2],
        np.array(2.5, np.float32),
        np.zeros((0, 3), np.float32),
        np.array([True, False]),
        np.arange(3, dtype=np.float16),
        np.arange(3, dtype=">f4"),
    ],
    ids=lambda a: f"{a.dtype.str}{a.shape}",
)
def test_every_layout_and_dtype(tmp_path, array):
    tt.save(tmp_path / "x", {"x": tt.asarray(array)})
    loaded = tt.load(tmp_path / "x")["x"]
    np.testing.assert_array_equal(loaded, array)
    assert loaded.shape == array.shape
    assert loaded.dtype == array.dtype.newbyteorder("=")


def test_names_that_could_be_confused(tmp_path):
    state = {"a.b": tt.ones(1), "a": {"b": tt.zeros(1)}, 3: tt.ones(2)}
    tt.save(tmp_path / "x", state)
    loaded = tt.load(tmp_path / "x")
    assert list(loaded) == ["a.b", "a", 3]
    assert (loaded["a.b"].item(), loaded["a"]["b"].item()) == (1, 0)


@pytest.mark.parametrize(
    ("state", "kind", "match"),
    [
        ([1], TypeError, "state is a list"),
        ({"a": {"f": print}}, TypeError, "a.f is a builtin_function"),
        ({"a": np.zeros(1, complex)}, TypeError, "a is complex128"),
        ({"a": np.array(["x"])}, TypeError, "a is <U1"),
        ({(1, 2): 3}, TypeError, r"\(1, 2\)"),
    ],
)
def test_what_cannot_be_saved(tmp_path, state, kind, match):
    with pytest.raises(kind, match=match):
        tt.save(tmp_path / "x", state)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_loaded(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        tt.load(path)
    path.write_bytes(b"PK\x03\x04 not safetensors at all")
    with pytest.raises(ValueError, match="not a safetensors file"):
        tt.load(path)
    save_file({"a": np.zeros(3)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(ValueError, match="not a safetensors file"):
        tt.load(path)
    save_file({"a": np.zeros(3)}, path, {"tinytensor": '{"dict": [["a", {"tensor": "b"}]]}'})
    with pytest.raises(ValueError, match="damaged tree"):
        tt.load(path)
