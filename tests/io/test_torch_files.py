"""Files that PyTorch itself wrote: what it saves, in both layouts, is what is loaded."""

import argparse
import collections
import io
import pickle

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.io import archives

from .pickled import FLOATS, Persistent, tar_of

torch = pytest.importorskip("torch")

LAYOUTS = pytest.mark.parametrize("layout", ["zip", "stream"])


def saved(path, item, layout, **options):
    torch.save(item, path, _use_new_zipfile_serialization=layout == "zip", **options)
    return tt.load(path)


def as_numpy(tensor):
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(tt.bfloat16)
    return tensor.numpy()


def same(found, expected):
    """Whether what was loaded is what was saved, in values, dtypes, strides and kinds."""
    if isinstance(expected, torch.Tensor):
        assert isinstance(found, tt.Tensor)
        array = as_numpy(expected)
        np.testing.assert_array_equal(found.numpy(), array)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.requires_grad == expected.requires_grad
    elif isinstance(expected, dict):
        assert type(found) is dict
        assert list(found) == list(expected)
        for key, value in expected.items():
            same(found[key], value)
    elif isinstance(expected, list | tuple) and not isinstance(expected, torch.Size):
        assert type(found) is type(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        assert found == expected
        assert type(found) is type(expected) or isinstance(expected, torch.Size)


DTYPES = (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)


@LAYOUTS
@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype(tmp_path, layout, name):
    dtype = getattr(torch, name)
    x = torch.tensor([0, 1, 2, 100, 0, 7]).to(dtype)
    state = {
        "x": x,
        "grid": x.reshape(2, 3),
        "none": torch.empty(0, 5, dtype=dtype),
        "scalar": x[3],
        "turned": x.reshape(2, 3).T,
        "part": x[1::2],
        "wide": x[2].expand(4, 3),
    }
    found = saved(tmp_path / "x.pt", state, layout)
    same(found, state)
    assert found["turned"].numpy().strides == (x.itemsize, 3 * x.itemsize)
    same(saved(tmp_path / "x.pt", x, layout), x)  # and without any dict


@LAYOUTS
@pytest.mark.parametrize(
    "name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e8m0fnu", "complex32"]
)
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_dtypes_that_numpy_does_not_have(tmp_path, layout, name):
    x = torch.zeros(3, dtype=getattr(torch, name))
    path = tmp_path / "x.pt"
    with pytest.raises(tt.DtypeError, match=rf"load: '{path}': 'a\.0\.w': it is of {name}, a dty"):
        saved(path, {"a": [{"w": x}]}, layout)


@LAYOUTS
def test_what_shares_memory_shares_it_and_knows(tmp_path, layout):
    x = torch.arange(12.0)
    state = {"x": x, "again": x, "row": x.reshape(3, 4)[1], "column": x.reshape(3, 4)[:, 1]}
    found = saved(tmp_path / "x.pt", state, layout)
    same(found, state)
    assert found["x"] is found["again"]
    for name in ("row", "column"):
        assert np.shares_memory(found[name].numpy(), found["x"].numpy())
    w = tt.ones(4, requires_grad=True)
    y = (w * found["row"]).sum()
    found["column"].add_(100)
    assert found["row"].tolist() == [4, 105, 6, 7]
    with pytest.raises(RuntimeError, match="changed"):
        y.backward()


@LAYOUTS
def test_conjugates_and_other_signs(tmp_path, layout):
    x = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex64)
    state = {"x": x, "conj": x.conj(), "imag": x.conj().imag.clone()}
    same(saved(tmp_path / "x.pt", state, layout), state)
    same(saved(tmp_path / "y.pt", x.conj().imag, layout), x.conj().imag)


@LAYOUTS
def test_checkpoints(tmp_path, layout):
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, betas=(0.8, 0.9))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(3):
        model(torch.ones(2, 3, 3, 3)).sum().backward()
        optimizer.step()
        schedule.step()
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": {k: v for k, v in schedule.state_dict().items() if not k.startswith("_")},
        "epoch": 3,
        "rng": torch.get_rng_state(),
        "history": [(0.5, None, True), {"x": "text", 1: b"bytes", (1, "a"): {2.5}}],
        "size": torch.Size([2, 3]),
        "number": 3 + 4j,
        "parameters": list(model.parameters()),
        "counts": {"a": 1},
    }
    found = saved(tmp_path / "x.pt", checkpoint, layout)
    same(found, checkpoint)
    ours = tt.nn.Sequential(
        tt.nn.Conv2d(3, 4, 3), tt.nn.BatchNorm2d(4), tt.nn.Flatten(), tt.nn.Linear(4, 2)
    )
    ours.load_state_dict(found["model"])
    resumed = tt.optim.AdamW(ours.parameters())
    resumed.load_state_dict(found["optimizer"])
    assert resumed.param_groups[0]["betas"] == (0.8, 0.9)
    model.eval()
    ours.eval()
    np.testing.assert_allclose(
        ours(tt.ones((1, 3, 3, 3))).numpy(),
        model(torch.ones(1, 3, 3, 3)).detach().numpy(),
        rtol=1e-5,
        atol=1e-6,
    )


@LAYOUTS
def test_other_plain_data(tmp_path, layout):
    counted = collections.defaultdict(list, a=[torch.ones(1)])
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.note = "an attribute"
    state = {
        "default": counted,
        "counter": collections.Counter("aab"),
        "dtype": torch.float16,
        "bfloat16": torch.bfloat16,
        "device": torch.device("cpu"),
        "layout": torch.strided,
        "set": {1, 2},
        "frozen": frozenset({"a"}),
        "bytearray": bytearray(b"abc"),
        "scalar": np.float64(2.5),
        "array": np.arange(6, dtype=np.int16).reshape(2, 3),
        "numpy": np.dtype("f4"),
        "parameter": parameter,
        "buffer": torch.nn.Buffer(torch.ones(1)),
    }
    found = saved(tmp_path / "x.pt", state, layout)
    same(found["default"], {"a": [torch.ones(1)]})
    same(found["parameter"], parameter)
    assert found["buffer"].tolist() == [1]
    assert found["array"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["counter"] == {"a": 2, "b": 1}
    assert (found["dtype"], found["bfloat16"]) == (tt.float16, tt.bfloat16)
    assert (found["device"], found["layout"]) == ("cpu", "torch.strided")
    assert (found["set"], found["frozen"]) == ({1, 2}, frozenset({"a"}))
    assert (found["bytearray"], found["scalar"], found["numpy"]) == (b"abc", 2.5, tt.float32)


@LAYOUTS
@pytest.mark.parametrize("protocol", range(1, 6))  # 0 has no ids but text, and PyTorch fails too
def test_every_protocol_of_pickle(tmp_path, layout, protocol):
    state = {"x": torch.ones(2), "n": [1, 2.5, "text", b"bytes", None, (True,)], "s": {1, 2}}
    same(saved(tmp_path / "x.pt", state, layout, pickle_protocol=protocol), state)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_without_torch_save_is_told(tmp_path, protocol):
    path = tmp_path / "x.pt"
    path.write_bytes(pickle.dumps({"x": [1]}, protocol))
    with pytest.raises(ValueError, match=f"load: '{path}'.*(a pickle, not a|not a safetensors)"):
        tt.load(path)


@LAYOUTS
@pytest.mark.parametrize(
    ("item", "name"),
    [
        (torch.nn.Linear(2, 2), r"torch.nn.modules.linear.Linear. Tensors and plain data .*save"),
        ({"model": torch.nn.ReLU()}, r"torch.nn.modules.activation.ReLU. .*model.state_dict\(\)"),
        ({"a": argparse.Namespace(b=1)}, r"argparse.Namespace"),
        ({"f": print}, r"asks for (builtins|__builtin__).print"),
        (torch.eye(2).to_sparse(), r"a sparse tensor"),
        (torch.empty(2, device="meta"), r"without storage"),
        (torch.ones(3).untyped_storage(), r"a storage without a tensor"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_refused(tmp_path, layout, item, name):
    path = tmp_path / "x.pt"
    with pytest.raises(ValueError, match=rf"load: '{path}': .*{name}"):
        saved(path, item, layout)


@pytest.mark.filterwarnings("ignore")
def test_a_program_of_torchscript_is_refused(tmp_path):
    torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)).save(tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"a program of TorchScript, .*state_dict"):
        tt.load(tmp_path / "x.pt")


def test_a_file_without_checksums(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        same(saved(tmp_path / "x.pt", {"x": torch.ones(2)}, "zip"), {"x": torch.ones(2)})
    finally:
        torch.serialization.set_crc32_options(before)


@LAYOUTS
def test_file_objects(tmp_path, layout):
    state = {"x": torch.arange(3.0)}
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=layout == "zip")
    file.seek(0)
    same(tt.load(file), state)
    path = tmp_path / "x.pt"
    path.write_bytes(b"before" + file.getvalue())
    with path.open("rb") as file:
        file.seek(6)
        same(tt.load(file), state)


def test_more_members_than_16_bits_count(tmp_path, monkeypatch):
    state = {str(i): torch.tensor(i) for i in range(300)}
    same(saved(tmp_path / "x.pt", state, "zip"), state)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 100)
    with pytest.raises(ValueError, match=r"members, more than 100"):
        tt.load(tmp_path / "x.pt")


def test_the_oldest_layout_is_read_as_pytorch_reads_it(tmp_path):
    content = np.arange(8, dtype=np.float32)
    old = tar_of(
        {"a": Persistent("11"), "b": [Persistent("12"), 3], "c": Persistent("13")},
        [(1, FLOATS, 8, content.tobytes())],
        [(2, 1, 3, 4)],
        [
            (11, 1, (2, 4), (4, 1), 0),
            (12, 2, (2, 2), (1, 2), 0),
            (13, 1, (), (), 7),
        ],
    )
    (tmp_path / "x.pt").write_bytes(old)
    expected = torch.load(tmp_path / "x.pt", weights_only=False)
    found = tt.load(tmp_path / "x.pt")
    same(found, expected)
    assert found["b"][0].tolist() == [[3, 5], [4, 6]]
