"""Models of ONNX as modules: names, inputs, state, training, functions, and wrong files."""

from __future__ import annotations

import copy
import pickle
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

import tinytensor as tt


def model_of(text: str, **arrays: Any) -> Any:
    """A model of onnx's own notation, of opset 22 if it does not say, with initializers."""
    if not text.lstrip().startswith("<"):
        text = '<ir_version: 10, opset_import: ["" : 22]>\n' + text
    model = parser.parse_model(text)
    for name, data in arrays.items():
        name = name.replace("__", ".")
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(data), name))
    return model


def same(a: tt.Tensor, b: tt.Tensor) -> bool:
    return np.array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.fixture
def linear(rng: np.random.Generator) -> Any:
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "layers.0.weight"], ["h"], "/layers/layers.0/MatMul"),
            helper.make_node("Add", ["h", "layers.0.bias"], ["y"], "/layers/layers.0/Add"),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(rng.normal(size=(3, 2)).astype("f"), "layers.0.weight"),
            numpy_helper.from_array(np.ones(2, "f"), "layers.0.bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


# --- What a model is ---------------------------------------------------------------------------


def test_names_are_kept(linear: Any) -> None:
    module = tt.onnx.load(linear)
    assert list(module.state_dict()) == ["layers.0.weight", "layers.0.bias"]
    assert module.get_submodule("layers.0.MatMul").op_type == "MatMul"
    assert [node.name for node in module.nodes()] == [
        "/layers/layers.0/MatMul",
        "/layers/layers.0/Add",
    ]
    assert module.input_names == ("x",)
    assert module.output_names == ("y",)
    assert "input x: float32 (n, 3)" in repr(module)
    assert "Add(h, layers.0.bias) → y" in repr(module)


def test_sources(linear: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(linear, path)
    x = tt.ones(4, 3)
    want = tt.onnx.load(linear)(x)
    with path.open("rb") as file:
        sources = [path, str(path), path.read_bytes(), file]
        assert all(same(tt.onnx.load(source)(x), want) for source in sources)
    with pytest.raises(TypeError, match=r"onnx\.load: needs a path.*not int"):
        tt.onnx.load(3)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    message = r'onnx\.load: needs onnx: pip install "tinytensor\[onnx\]"'
    with pytest.raises(ImportError, match=message):
        tt.onnx.load("model.onnx")


def test_inputs_by_position_and_by_name(linear: Any) -> None:
    module = tt.onnx.load(linear)
    x = np.ones((4, 3), "f")
    assert same(module(x), module(x=x))
    assert same(module([[1, 1, 1]]), module(x)[:1])
    for call, message in [
        (lambda: module(), "the input 'x' is missing: the model's are x: float32 .n, 3."),
        (lambda: module(x, x), "takes 1 inputs, not 2"),
        (lambda: module(x, x=x), "'x' is given twice"),
        (lambda: module(z=x, x=x), "there is no input 'z'"),
        (lambda: module(x.astype("d")), "'x' is float64, and the model takes float32"),
    ]:
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(tt.ShapeError, match=r"'x' is \(4, 2\), and the model takes \(n, 3\)"):
        module(x[:, :2])


def test_sizes_with_one_name_are_equal() -> None:
    module = tt.onnx.load(model_of("g (float[n] a, float[n] b) => (float[n] c) {c = Add(a, b)}"))
    assert module(tt.ones(2), tt.ones(2)).shape == (2,)
    with pytest.raises(tt.ShapeError, match="'n' is 2 in the input 'a' and 3 in 'b'"):
        module(tt.ones(2), tt.ones(3))


def test_several_outputs_have_names() -> None:
    module = tt.onnx.load(
        model_of("g (float[4] x) => (float[2] a, float[2] b) {a, b = Split<num_outputs=2>(x)}")
    )
    out = module(tt.arange(4.0))
    assert out["b"] is out[1]
    assert list(out.as_dict()) == ["a", "b"]
    with pytest.raises(KeyError, match="no output 'c': a, b"):
        out["c"]


def test_initializers_of_old_files_are_no_inputs(linear: Any) -> None:
    for tensor in linear.graph.initializer:
        info = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        linear.graph.input.append(info)
    linear.ir_version = 3
    assert tt.onnx.load(linear).input_names == ("x",)
    linear.ir_version = 8  # of newer ones they are defaults
    module = tt.onnx.load(linear)
    assert module.input_names == ("x", "layers.0.weight", "layers.0.bias")
    x = tt.ones(1, 3)
    away = module(x, **{"layers.0.bias": np.zeros(2, "f")}) - module(x)
    assert np.allclose(away.numpy(), -1, atol=1e-6)


# --- State and training ------------------------------------------------------------------------


def test_parameters_learn(linear: Any, rng: np.random.Generator) -> None:
    module = tt.onnx.load(linear)
    x = tt.tensor(rng.normal(size=(16, 3)).astype("f"))
    target = x @ tt.tensor(rng.normal(size=(3, 2)).astype("f"))
    optimizer = tt.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = tt.mse_loss(module(x), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3


def test_a_state_is_loaded(linear: Any) -> None:
    module = tt.onnx.load(linear)
    module.load_state_dict({"layers.0.weight": np.ones((3, 2), "f"), "layers.0.bias": np.zeros(2)})
    assert same(module(tt.ones(1, 3)), tt.full((1, 2), 3.0))


def test_float64(linear: Any) -> None:
    module = tt.onnx.load(linear).double()
    x = tt.tensor(np.ones((2, 3)))
    assert module(x).dtype == tt.float64
    parameters = tuple(module.parameters())
    with pytest.raises(TypeError, match="'x' is float32, and the model takes float64"):
        module(x.float())

    def loss(*values: Any) -> Any:
        names = (name for name, _ in module.named_parameters())
        return tt.func.functional_call(module, dict(zip(names, values, strict=True)), (x,)).sin()

    tt.func.check_grad(loss, *(p.detach() for p in parameters))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_apart(again: Any, linear: Any) -> None:
    module = tt.onnx.load(linear)
    other = again(module)
    with tt.no_grad():
        other.get_parameter("layers.0.bias").zero_()
    x = tt.ones(1, 3)
    assert np.allclose((module(x) - other(x)).detach().numpy(), 1, atol=1e-6)


def test_hooks_of_nodes(linear: Any) -> None:
    module = tt.onnx.load(linear)
    seen = []
    node = module.get_submodule("layers.0.MatMul")
    with node.register_forward_hook(lambda node, args, out: seen.append(out.shape)):
        module(tt.ones(5, 3))
    assert seen == [(5, 2)]


def test_buffers_and_constants() -> None:
    module = tt.onnx.load(
        model_of(
            """g (float[n, 2] x) => (float[n, 2] y) {
                a = Mul(x, factor)
                b = BatchNormalization(a, scale, shift, mean, var)
                y = Clip(b, low)
            }""",
            factor=np.float32(2),
            scale=np.ones(2, "f"),
            shift=np.zeros(2, "f"),
            mean=np.zeros(2, "f"),
            var=np.ones(2, "f"),
            low=np.float32(-0.5),
        )
    )
    assert {name for name, _ in module.named_parameters()} == {"scale", "shift"}
    assert {name for name, _ in module.named_buffers()} == {"factor", "mean", "var", "low"}
    assert not module.training
    x = tt.tensor([[1.0, -1.0], [3.0, 5.0]])
    want = np.maximum(2 * x.numpy() / np.sqrt(1 + 1e-5), -0.5)
    assert np.allclose(module(x).detach().numpy(), want)
    module.train()
    out = module(x).detach().numpy()
    assert np.allclose(out, [[-0.5, -0.5], [1, 1]], atol=1e-4)  # of the batch, then clipped
    assert np.allclose(module.mean.numpy(), [0.4, 0.4])  # 0.9 · 0 + 0.1 · 4
    assert np.allclose(module.var.numpy(), [0.9 + 0.1 * 4, 0.9 + 0.1 * 36])


def test_dropout_in_both_modes() -> None:
    module = tt.onnx.load(model_of("g (float[n] x) => (float[n] y) {y = Dropout(x)}"))
    x = tt.ones(1000)
    assert same(module(x), x)
    tt.manual_seed(0)
    dropped = module.train()(x).numpy()
    assert set(dropped.tolist()) == {0.0, 2.0}
    assert 400 < (dropped == 0).sum() < 600
    assert (module(x).numpy() != dropped).any()


def test_equal_initializers_that_an_exporter_joined_are_apart() -> None:
    module = tt.onnx.load(
        model_of(
            """g (float[2] x) => (float[2] y) {
                "b.bias" = Identity("a.bias")
                h = Add(x, "a.bias")
                y = Mul(h, "b.bias")
            }""",
            a__bias=np.ones(2, "f"),
        )
    )
    assert set(module.state_dict()) == {"a.bias", "b.bias"}
    assert len(list(module.parameters())) == 2
    module(tt.ones(2)).sum().backward()
    assert np.allclose(module.a.bias.grad.numpy(), 1)
    assert np.allclose(module.b.bias.grad.numpy(), 2)


def test_what_is_constant_is_computed_once() -> None:
    module = tt.onnx.load(
        model_of(
            """g (float[n, 6] x) => (float[a, b] y) {
                two = Constant<value_ints=[2]>()
                rest = Constant<value_ints=[-1]>()
                shape = Concat<axis=0>(rest, two)
                y = Reshape(x, shape)
            }"""
        )
    )
    assert [node.op_type for node in module.nodes()] == ["Reshape"]
    assert module(tt.ones(1, 6)).shape == (3, 2)


def test_values_are_freed_after_their_last_use() -> None:
    module = tt.onnx.load(
        model_of("g (float[n] x) => (float[n] y) {a = Exp(x)\n b = Neg(a)\n y = Sin(b)}")
    )
    alive = []
    first, last = module.get_submodule("Exp"), module.get_submodule("Sin")
    first.register_forward_hook(lambda node, args, out: alive.append(weakref.ref(out)))
    last.register_forward_hook(lambda node, args, out: alive.append(alive[0]()))
    module(tt.ones(3))
    assert alive[1] is None


def test_other_parts_in_the_place_of_its_own(linear: Any) -> None:
    module = tt.onnx.load(linear)
    x = tt.ones(1, 3)
    zeros = {name: tt.zeros(p.shape) for name, p in module.named_parameters()}
    assert not tt.func.functional_call(module, zeros, (x,)).numpy().any()
    assert module(x).detach().numpy().any()
    module.set_submodule("layers.0.MatMul", Doubled())
    assert same(module(x), module.get_parameter("layers.0.bias") + 2 * x[:, :2])
    del module.layers
    with pytest.raises(AttributeError, match=r"get_submodule: 'layers\.0'"):
        module(x)


class Doubled(tt.nn.Module):
    def forward(self, x: Any, weight: Any) -> Any:
        return 2 * x[:, :2]


# --- Functions and bodies ----------------------------------------------------------------------


def test_functions_of_the_model() -> None:
    module = tt.onnx.load(
        model_of(
            """<ir_version: 10, opset_import: ["" : 22, "own" : 1]>
            g (float[n] x) => (float[n] y) {
                y = own.twice <by = 3.0>(x)
            }
            <domain: "own", opset_import: ["" : 22]>
            twice <by: float> (x) => (y) {
                factor = Constant<value_float: float = @by>()
                t = Mul(x, factor)
                y = Add(t, x)
            }"""
        )
    )
    assert same(module(tt.ones(2)), tt.full((2,), 4.0))


def test_what_functions_and_bodies_learn() -> None:
    module = tt.onnx.load(
        model_of(
            """<ir_version: 10, opset_import: ["" : 22, "own" : 1]>
            g (bool c, float[n, 2] x) => (float[n, 2] y) {
                h = own.norm(x, scale, bias, mean, var)
                s = If(c) <
                    then_branch = t () => (float[2] u) {u = Identity(slope)},
                    else_branch = e () => (float[2] v) {v = Neg(slope)}
                >
                y = Mul(h, s)
            }
            <domain: "own", opset_import: ["" : 22]>
            norm (x, a, b, m, v) => (y) {
                i = Identity(a)
                y = BatchNormalization(x, i, b, m, v)
            }""",
            **{name: np.ones(2, "f") for name in ("scale", "bias", "mean", "var", "slope")},
        )
    )
    assert {name for name, _ in module.named_parameters()} == {"scale", "bias", "slope"}
    module(True, tt.ones(3, 2)).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    assert np.allclose(module.slope.grad.numpy(), 3)


def test_bodies_see_what_is_around_them() -> None:
    module = tt.onnx.load(
        model_of(
            """g (bool c, float[n] x) => (float[n] y) {
                a = Add(x, weight)
                y = If(c) <
                    then_branch = t () => (float[n] u) {u = Mul(a, weight)},
                    else_branch = e () => (float[n] v) {v = Neg(a)}
                >
            }""",
            weight=np.full(2, 3, "f"),
        )
    )
    x = tt.ones(2)
    assert same(module(True, x), tt.full((2,), 12.0))
    assert same(module(False, x), tt.full((2,), -4.0))
    module(True, x).sum().backward()
    assert np.allclose(module.weight.grad.numpy(), 7)  # (1 + w) w: 1 + 2 w
    assert [node.op_type for node in module.nodes()] == ["Add", "If", "Mul", "Neg"]


# --- Files that are wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("g (float[n] x) => (float[n] y) {y = Foo(x)\n z = Bar(y)}", NotImplementedError,
         r"not known: Bar \(22\) at 'z'; Foo \(22\) at 'y'"),
        ("g (float[n] x) => (float[n] y) {y = Add(x, z)}", ValueError,
         "nothing makes its input 'z'"),
        ("g (float[n] x) => (float[n] y) {z = Neg(x)}", ValueError,
         "nothing makes the output 'y'"),
        ("g (float[n] x) => (float[n] y) {y = Add(x, a)\n a = Neg(b)\n b = Neg(a)}", ValueError,
         "the graph has a cycle: a → b → a|the graph has a cycle: b → a → b"),
        ("g (float[n] x, int64[n] z) => (float[n] y) {y = Add(x, z)}", ValueError,
         "a node is given what it does not take.*Add.*int64"),
        ("g (float[n] x) => (float[n] y) {y = Softmax<axes=[1]>(x)}",
         (NotImplementedError, ValueError), "axes"),
        ("g (float[n] x) => (float[n] x) {x = Neg(x)}", ValueError, "two values|cycle"),
        ('<ir_version: 10, opset_import: ["" : 99]>g (float[n] x) => (float[n] y) {y = Neg(x)}',
         NotImplementedError, "opset 99 of ai.onnx; the newest that is known is 28"),
        ('<ir_version: 10, opset_import: ["" : 18, "far" : 2]>'
         "g (float[n] x) => (float[n] y) {y = far.Off(x)}",
         NotImplementedError, r"far.Off \(2\) at 'y'"),
        ("g (float[n] x) => (float[n] y) {y = Cast(x)}", ValueError, "Cast.*to"),
        ("g (float[n] x) => (float[n] y) {y = Neg(x, x)}", ValueError, "takes 1 inputs, not 2|Neg"),
    ],
)  # fmt: skip
def test_graphs_that_are_wrong(text: str, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        tt.onnx.load(model_of(text))


def test_files_that_are_no_models(linear: Any, tmp_path: Path) -> None:
    data = linear.SerializeToString()
    for wrong in (data[:-7], b"", b"GGUF" + data, data[: len(data) // 2]):
        path = tmp_path / "model.onnx"
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"onnx\.load: .*model\.onnx"):
            tt.onnx.load(path)
    with pytest.raises(FileNotFoundError):
        tt.onnx.load(tmp_path / "nothing.onnx")
    wrong = linear.SerializeToString().replace(b"layers.0.weight", b"layers.0.weigh\xff")
    with pytest.raises(ValueError, match="is no name; has the file been damaged"):
        tt.onnx.load(wrong)
    del linear.graph.initializer[0].dims[:]
    with pytest.raises(ValueError, match=r"layers\.0\.weight|does not take"):
        tt.onnx.load(linear)


def test_errors_of_a_run_name_the_node() -> None:
    module = tt.onnx.load(
        model_of("g (float[n] a, float[m] b) => (float[k] y) {c = Neg(a)\n y = Add(c, b)}")
    )
    with pytest.raises(tt.ShapeError) as caught:
        module(tt.ones(2), tt.ones(3))
    assert "in node 'Add' (Add, opset 22)" in caught.value.__notes__


# --- Arrays in files of their own --------------------------------------------------------------


def outside(model: Any, folder: Path, location: str, **more: int) -> Path:
    """The model with its first initializer in another file."""
    tensor = model.graph.initializer[0]
    entries = {"location": location, **more}
    (folder / "weights.bin").write_bytes(b"\0" * 8 + tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, entry in entries.items():
        tensor.external_data.add(key=key, value=str(entry))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_arrays_beside_the_model(linear: Any, tmp_path: Path) -> None:
    x = tt.ones(1, 3)
    want = tt.onnx.load(linear)(x)
    path = outside(linear, tmp_path, "weights.bin", offset=8, length=24)
    assert same(tt.onnx.load(path)(x), want)
    with pytest.raises(ValueError, match=r"'weights\.bin', beside a file: load the model by its"):
        tt.onnx.load(path.read_bytes())


@pytest.mark.parametrize(
    ("location", "more", "error", "message"),
    [
        ("../weights.bin", {}, ValueError, "outside of the model's folder"),
        ("/etc/passwd", {}, ValueError, "outside of the model's folder"),
        ("link/weights.bin", {}, ValueError, "outside of the model's folder"),
        (".", {}, ValueError, "outside of the model's folder"),
        ("none.bin", {}, FileNotFoundError, "there is no such file"),
        ("weights.bin", {"offset": 8, "length": 99}, ValueError,
         "bytes 8 to 107, but the file has 32"),
        ("weights.bin", {"offset": -1}, ValueError, "bytes -1 to"),
        ("weights.bin", {"offset": 8, "length": 20}, ValueError, r"layers\.0\.weight"),
    ],
)  # fmt: skip
def test_arrays_that_are_elsewhere(
    linear: Any, tmp_path: Path, location: str, more: Any, error: Any, message: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"\0" * 24)
    path = outside(linear, folder, location, **more)
    with pytest.raises(error, match=message):
        tt.onnx.load(path)
