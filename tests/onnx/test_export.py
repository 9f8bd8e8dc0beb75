"""export: what a graph looks like, axes of other sizes, changes in place, files, and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.onnx.exported import check, feeds, kinds, session, tensors
from tests.onnx.test_export_models import MODELS, images, settled, tokens
from tinytensor import nn

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.no_c


def made(name: str) -> tuple[Any, Any]:
    make, args = MODELS[name]
    tt.manual_seed(0)
    return settled(make()).eval(), args


# --- What the graph looks like ---------------------------------------------------------------


def test_common_layers_are_nodes_of_their_names() -> None:
    def of(model: Any, *args: Any) -> dict[str, int]:
        return kinds(tt.onnx.export(model, args, check=False))

    lenet = {"Conv": 2, "Relu": 4, "MaxPool": 2, "Reshape": 1, "Gemm": 3}
    assert of(tt.models.LeNet(), images(1, 1, 28, 28)) == lenet
    resnet = {"Conv": 21, "BatchNormalization": 21, "Relu": 19, "Add": 9, "ReduceMean": 1,
              "Gemm": 1}  # fmt: skip
    assert of(tt.models.resnet20(), images(1, 3, 32, 32)) == resnet
    config = tt.models.GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=16)
    block = tt.models.GPT(config).transformer.h[0]
    assert of(block, images(2, 5, 16)) == {
        "LayerNormalization": 2, "MatMul": 6, "Add": 6, "Reshape": 2, "Transpose": 7, "Gather": 3,
        "Mul": 1, "Where": 1, "Softmax": 1, "Gelu": 1,
    }  # fmt: skip
    assert of(nn.LSTM(3, 4), images(5, 2, 3)) == {"LSTM": 1, "Squeeze": 1}
    both = nn.LSTM(3, 4, bidirectional=True, batch_first=True)
    assert of(both, images(2, 5, 3)) == {"LSTM": 1, "Transpose": 3, "Reshape": 1}
    assert of(nn.Upsample(scale_factor=2, mode="bilinear"), images(1, 2, 4, 4)) == {"Resize": 1}
    assert of(nn.GroupNorm(2, 4), images(2, 4, 5)) == {"GroupNormalization": 1}
    assert of(nn.InstanceNorm2d(4), images(2, 4, 5, 5)) == {"InstanceNormalization": 1}


def test_names_are_those_of_modules_and_states() -> None:
    model, args = made("CifarResNet")
    proto = tt.onnx.export(model, args, doc="A network.", metadata={"author": "nobody"})
    state = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    assert {one.name for one in proto.graph.initializer} == state
    names = [node.name for node in proto.graph.node]
    assert names[:3] == ["conv1/Conv", "bn1/BatchNormalization", "relu/Relu"]
    assert "layer1.0.conv1/Conv" in names
    assert len(set(names)) == len(names)
    assert [one.name for one in (*proto.graph.input, *proto.graph.output)] == ["x", "output"]
    assert (proto.producer_name, proto.producer_version) == ("tinytensor", tt.__version__)
    assert (proto.doc_string, proto.metadata_props[0].value) == ("A network.", "nobody")
    proto = tt.onnx.export(model, args, input_names=["image"], output_names=["scores"])
    assert [one.name for one in (*proto.graph.input, *proto.graph.output)] == ["image", "scores"]


@pytest.mark.parametrize("name", ["CifarResNet", "GPT", "Llama", "BERT", "UNet with bilinear",
                                  "Seq2Seq with Luong's attention"])  # fmt: skip
def test_what_is_loaded_again_is_the_model(name: str) -> None:
    model, args = made(name)
    again = tt.onnx.load(tt.onnx.export(model, args, check=False)).eval()
    given = [tt.tensor(array) for array in feeds(model, args, {}).values()]
    for one, other in zip(tensors(again(*given)), tensors(model(*args)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    own = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    found = again.state_dict()
    for key, value in own.items():
        same = any(key != k and v.numpy() is value.numpy() for k, v in own.items())
        if key in found and found[key].shape == value.shape:
            np.testing.assert_array_equal(found[key].numpy(), value.numpy())
        else:  # a pooler that is not asked, a head that is the embedding, a recurrent layer
            assert same or any(part in key for part in ("pooler", "lm_head", "decoder", "rnn"))


@pytest.mark.parametrize("name", ["GPT", "LeNet"])
def test_what_is_loaded_trains_and_is_exported_again(name: str) -> None:
    model, args = made(name)
    (given,), (first,) = feeds(model, args, {}), args if isinstance(args, tuple) else (args,)
    axes = {given: {0: "batch", 1: "time"} if name == "GPT" else {0: "batch"}}
    proto = tt.onnx.export(model, first, dynamic_axes=axes, output_names=["scores"])
    again = tt.onnx.load(proto).train()
    (again(first) ** 2).mean().backward()
    tt.optim.SGD(again.parameters(), lr=0.1).step()
    proto = tt.onnx.export(again.eval(), first, dynamic_axes=axes)
    assert [one.name for one in (*proto.graph.input, *proto.graph.output)] == [given, "scores"]
    assert {one.name for one in proto.graph.initializer} == {*again.state_dict()}
    other = tokens(3, 4) if name == "GPT" else images(3, 1, 28, 28)
    (found,) = session(proto).run(None, {given: other.numpy()})
    np.testing.assert_allclose(found, again(other).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_nodes_of_a_file_are_written_as_they_were() -> None:
    proto = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n, c, h, w] x, int64[k] i) => (float[n, c, p, q] y, float[m] best, int64[m] at) {
            scales = Constant<value_floats=[1.0, 1.0, 2.0, 2.0]>()
            y = Resize<mode="linear">(x, , scales)
            flat = Reshape(x, minus)
            picked = Gather(flat, i)
            two = Constant<value_ints=[2]>()
            best, at = TopK(picked, two)
        }"""
    )
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1]), "minus"))
    model = tt.onnx.load(proto)
    given = (images(1, 2, 3, 4), tt.tensor([3, 0, 5]))
    other = (images(2, 1, 5, 3), tt.tensor([0, -1, 2, 4]))
    axes = {"x": dict(enumerate("nchw")), "i": {0: "k"}}
    again = tt.onnx.export(model, given, dynamic_axes=axes)
    assert [one.name for one in again.graph.output] == ["y", "best", "at"]
    assert kinds(again) == {"Resize": 1, "Reshape": 1, "Gather": 1, "TopK": 1}
    found = session(again).run(None, {"x": other[0].numpy(), "i": other[1].numpy()})
    for one, wanted in zip(found, tensors(model(*other)), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-6)


def test_branches_of_a_file_are_those_of_the_example() -> None:
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 21]>
        g (float[n] x, bool c) => (float[n] y) {
            y = If(c) <
                then_branch = t () => (float[n] u) {u = Mul(x, x)},
                else_branch = e () => (float[n] v) {v = Neg(x)}
            >
        }"""
    )
    loaded = tt.onnx.load(proto)
    with (
        pytest.warns(UserWarning, match="no output depends on the input 'c'"),
        pytest.warns(UserWarning, match="If: branches and numbers of turns are the example's"),
    ):
        again = tt.onnx.export(loaded, (images(3), tt.tensor(True)))
    assert kinds(again) == {"Mul": 1}


def test_roundings_of_a_file_stay_roundings() -> None:
    proto = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 13]>
        g (float[n, 4] x) => (float[n, 4] y) <float s = {0.05}, uint8 z = {128}> {
            q = QuantizeLinear(x, s, z)
            d = DequantizeLinear(q, s, z)
            r = Relu(d)
            p = QuantizeLinear(r, s, z)
            y = DequantizeLinear(p, s, z)
        }"""
    )
    again = tt.onnx.export(tt.onnx.load(proto), images(2, 4), dynamic_axes={"x": [0]})
    assert kinds(again) == {"QuantizeLinear": 2, "DequantizeLinear": 2, "Relu": 1}
    given = {"x": images(5, 4).numpy()}
    np.testing.assert_array_equal(session(again).run(None, given), session(proto).run(None, given))


# --- Sizes -----------------------------------------------------------------------------------

BATCH, TIME = {0: "batch"}, {0: "batch", 1: "time"}
IMAGE = {0: "batch", 2: "height", 3: "width"}
DYNAMIC: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "GPT": ({"tokens": TIME}, [tokens(1, 9), tokens(3, 4)]),
    "Mistral": ({"tokens": TIME}, [tokens(1, 9)]),
    "BERT with a mask": (
        {"tokens": TIME, "token_types": TIME, "mask": TIME},
        [(tokens(1, 4), tokens(1, 4, below=2), tt.tensor([[1, 1, 1, 0]]))],
    ),
    "T5 with lengths": (
        {"tokens": {0: "b", 1: "s"}, "decoder_tokens": {0: "b", 1: "t"}, "lengths": {0: "b"}},
        [(tokens(3, 9), tokens(3, 40), tt.tensor([9, 2, 1]))],
    ),
    "ViT": ({"pixel_values": BATCH}, [images(1, 3, 16, 16)]),
    "UNet": ({"x": IMAGE}, [images(2, 3, 12, 21)]),
    "UNet with bilinear": ({"x": IMAGE}, [images(2, 3, 12, 20)]),
    "CRNN": ({"input": {0: "batch", 3: "width"}}, [images(1, 1, 32, 52)]),
    "TCN": ({"x": [0, 2]}, [images(1, 3, 12)]),
    "Evoformer": (
        {"m": {0: "sequences", 1: "residues"}, "z": {0: "residues", 1: "residues"}},
        [(images(2, 6, 8), images(6, 6, 6))],
    ),
    "Seq2Seq with Luong's attention": (
        {"source": {0: "b", 1: "s"}, "source_lengths": {0: "b"}, "target_in": {0: "b", 1: "t"}},
        [(tokens(3, 7), tt.tensor([7, 3, 1]), tokens(3, 6))],
    ),
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_dynamic_axes_take_other_sizes(name: str) -> None:
    model, args = made(name)
    axes, others = DYNAMIC[name]
    proto = check(model, args, *others, dynamic_axes=axes, check=False)
    named = {dim.dim_param for one in proto.graph.input for dim in one.type.tensor_type.shape.dim}
    assert named >= {symbol for own in axes.values() if isinstance(own, dict) for symbol in
                     own.values()}  # fmt: skip


def test_constants_of_sizes_are_computed() -> None:
    def function(x: tt.Tensor) -> tuple[tt.Tensor, ...]:
        n, width = x.shape
        later = tt.tensor(np.triu(np.full((width, width), -9.0, np.float32), 1))
        rows = tt.tensor(np.arange(n, dtype=np.float32))[:, None]
        return x @ later + rows, tt.zeros((n, 2 * width)) + x.sum(), x.reshape(n * width, 1)

    proto = check(function, images(3, 4), images(5, 2), dynamic_axes={"x": [0, 1]})
    assert not any(node.op_type == "Constant" and len(node.attribute[0].t.dims) > 1
                   for node in proto.graph.node)  # fmt: skip


def test_numbers_of_sizes_are_computed() -> None:
    def function(x: tt.Tensor) -> list[tt.Tensor]:
        n, width = x.shape
        scales = [float(width), 1 / width, width**-0.5, 3 / width, 2 / (n * width), width - 1.0]
        line = tt.linspace(-1, 1, width)
        return [*(x * scale for scale in scales), x * line, x @ tt.eye(width), x - tt.eye(n, width)]

    check(function, images(3, 4), images(1, 7), images(5, 1), dynamic_axes={"x": [0, 1]})


def test_sizes_are_found_that_a_model_takes() -> None:
    def function(x: tt.Tensor) -> tt.Tensor:
        if not 1 <= x.shape[1] <= 8:
            raise ValueError("too long")
        return x.cumsum(1)

    check(function, images(2, 5), images(1, 8), images(4, 1), dynamic_axes={"x": [0, 1]})
    with pytest.raises(ValueError, match="too long") as caught:
        tt.onnx.export(function, images(2, 9), dynamic_axes={"x": [0, 1]})
    assert "of other sizes than the example: x_0 2, x_1 9" in caught.value.__notes__[0]


def test_sizes_are_told_apart() -> None:
    def windows(x: tt.Tensor) -> tt.Tensor:  # which takes even sizes alone
        n, h, w, c = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)

    axes = {"x": [0, 1, 2]}
    check(windows, images(1, 4, 6, 3), images(2, 2, 2, 3), images(3, 8, 4, 3), dynamic_axes=axes)


def test_indices_where_several_sizes_vary() -> None:
    def function(x: tt.Tensor, n: tt.Tensor) -> list[tt.Tensor]:
        rows = tt.arange(x.shape[0])
        return [x[rows, n - 1], x[:, n - 1, n - 1], x[rows, :, n - 1], tt.repeat(x, 2, axis=1)]

    axes = {"x": {0: "b", 1: "t", 2: "d"}, "n": {0: "b"}}
    others = (images(1, 1, 2), tt.tensor([1])), (images(3, 7, 5), tt.tensor([0, 1, 4]))
    check(function, (images(2, 5, 5), tt.tensor([5, 2])), *others, dynamic_axes=axes)


def test_a_loop_over_an_axis_keeps_it_as_it_is() -> None:
    def cumulated(x: tt.Tensor) -> tt.Tensor:
        total = x[0]
        for row in x[1:]:
            total = total * 0.5 + row
        return total

    check(cumulated, images(4, 3), images(4, 5), dynamic_axes={"x": {1: "n"}})
    with pytest.raises(ValueError, match=r"leave .* axis .* out of dynamic_axes"):
        tt.onnx.export(cumulated, images(4, 3), dynamic_axes={"x": {0: "time"}})


# --- Values ----------------------------------------------------------------------------------


def test_changes_in_place_and_views() -> None:
    def function(x: tt.Tensor) -> tuple[tt.Tensor, tt.Tensor, tt.Tensor]:
        y = x * 2
        view = y[1:]
        before = view.sum()
        y[0] = x[1]
        view *= 3
        y.T[2] += 1
        out = tt.zeros((4, 3))
        out[1:3] = x[:2]
        out[:, 1] = y.sum()
        return y + before, view, out

    check(function, images(4, 3))

    def of_its_input(x: tt.Tensor) -> tt.Tensor:
        x += 1
        x[0] = 0
        return x

    example = images(2, 3)
    tt.onnx.export(of_its_input, example)
    np.testing.assert_array_equal(example.numpy(), images(2, 3).numpy())
    (found,) = session(tt.onnx.export(of_its_input, example)).run(None, {"x": example.numpy()})
    np.testing.assert_allclose(found, of_its_input(images(2, 3)).numpy())

    def shifted(x: tt.Tensor) -> tt.Tensor:
        y = x * 1
        y[:, 1:] = x[:, :-1]
        return y

    check(shifted, images(2, 4), images(3, 7), dynamic_axes={"x": [0, 1]})

    def unseen(x: tt.Tensor) -> tt.Tensor:
        y = x + 1
        with tt.no_grad():
            y += 1
        return y * x

    with pytest.raises(RuntimeError, match=r"\+= changed a tensor in place where this is not rec"):
        tt.onnx.export(unseen, tokens(2, 3))


def test_changes_at_places_that_are_computed() -> None:
    def masked(x: tt.Tensor) -> tt.Tensor:
        y = x * 1
        y[x > 0] = 0.5
        y[x < 0] *= 2
        y[x.sum(1) > 0] = x[0]
        y[:, 1][x[:, 0] > 0] = 9
        return y.at[x > 1].set(x[x > 1] * 3).at[x.argmax(0)].add(1.0)

    check(masked, images(3, 4), images(5, 4)[1:4])
    check(masked, images(3, 4), images(1, 4), images(7, 5), dynamic_axes={"x": [0, 1]})

    def views(x: tt.Tensor) -> tuple[tt.Tensor, tt.Tensor]:
        y = x * 1
        y[:, 1][1:] = 3
        row = y[0]
        row[1:] += 1
        y[::2, ::-1] *= 2
        y.reshape(-1)[2:5] = 1
        y.T[0] = 4
        y[-1, -2:] = x[0, 0]
        left, _ = y.chunk(2, 0)
        left *= 5
        return y, row

    check(views, images(4, 4), images(2, 6), images(6, 5), dynamic_axes={"x": [0, 1]})

    def sums(x: tt.Tensor, i: tt.Tensor, s: tt.Tensor) -> list[tt.Tensor]:
        y = x * 1
        y[i] = x[0]  # of which one may stand twice, here or in another run
        grid = tt.broadcast_to(i[:, None], s.shape)
        each = [tt.scatter(x, 0, grid, s, how, False) for how in ("mean", "amax", "prod")]
        return [y, x.at[:, i].multiply(3.0), x.at[i].max(0.0), tt.index_add(x, 0, i, s), *each]

    twice, once = tt.tensor([1, 1, 2]), tt.tensor([2, 0, 1])
    for first, second in ((twice, once), (once, twice)):
        check(sums, (images(4, 5), first, images(3, 5)), (images(4, 5), second, images(3, 5)))
    axes = {"x": {0: "n"}, "i": {0: "e"}, "s": {0: "e"}}
    one = (images(1, 5), tt.tensor([0]), images(1, 5))
    check(sums, (images(4, 5), once, images(3, 5)), one, dynamic_axes=axes)


def test_indices_numpy_sees_and_dtypes() -> None:
    def function(x: tt.Tensor, i: tt.Tensor, mask: tt.Tensor) -> tuple[tt.Tensor, ...]:
        column = tt.Tensor(i.numpy().T[:, 1])  # a view that NumPy made
        return x[i[0]], x[:, column], tt.where(mask, x, 0), x[mask], x.astype("int64") // 2, i / 2

    rng = np.random.default_rng(0)
    mask = tt.tensor(rng.random((4, 3)) > 0.4)
    check(function, (images(4, 3), tt.tensor([[0, 2, 1], [2, 0, 1]]), mask))
    double = nn.Sequential(nn.Linear(3, 4), nn.GELU("tanh"), nn.LayerNorm(4)).to("float64")
    check(double, tt.tensor(rng.normal(size=(2, 3))), tolerance=1e-9)

    class Doubled(tt.Function):
        @staticmethod
        def forward(ctx: Any, x: tt.Tensor) -> tt.Tensor:
            return x + x

        @staticmethod
        def backward(ctx: Any, g: tt.Tensor) -> tt.Tensor:
            return g * 2

    check(lambda x: Doubled.apply(x) * x, images(2, 3))


def test_functions_of_ops_are_nodes_each_time() -> None:
    def function(x: tt.Tensor) -> tt.Tensor:
        pad, F = tt.nn.functional.pad, tt.nn.functional
        x = pad(pad(x, (1, 1)), (1, 2), "reflect") + pad(x, (2, 3), "reflect")
        return F.hardswish(F.hardswish(x)) + F.interpolate(x, scale_factor=1.0)

    assert kinds(check(function, images(1, 2, 5, 6))) == {
        "Pad": 3, "Add": 2, "HardSwish": 2, "Resize": 1
    }  # fmt: skip


def test_structures_of_arguments_and_outputs() -> None:
    def function(pair: Any, *, by: Any, power: float) -> dict[str, Any]:
        first, second = pair
        return {"mean": (first * by["scale"]).mean(), "parts": [second**power, first]}

    given = (images(2, 3), images(2))
    proto = check(function, (given,), kwargs={"by": {"scale": images(3)}, "power": 2.0})
    names = [one.name for one in (*proto.graph.input, *proto.graph.output)]
    assert names == ["pair.0", "pair.1", "by.scale", "mean", "parts_0", "parts_1"]
    with pytest.warns(UserWarning, match="no output depends on the input 'x'"):
        tt.onnx.export(lambda x, y: y * float(x.sum()), (images(2), images(2)))


@pytest.mark.parametrize("opset", [18, 23])
def test_opsets(opset: int) -> None:
    for name in ("GPT", "Llama", "UNet with bilinear"):
        model, args = made(name)
        proto = check(model, args, opset=opset)
        assert proto.opset_import[0].version == opset
    check(nn.Sequential(nn.GroupNorm(2, 4), nn.GELU("tanh")), images(2, 4, 5), opset=opset)


def test_training_keeps_dropout() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4)).eval()
    assert "Dropout" not in kinds(tt.onnx.export(model, images(3, 4)))
    assert kinds(tt.onnx.export(model, images(3, 4), training=True))["Dropout"] == 1
    assert not model.training
    assert not any(module._forward_hooks for module in model.modules())
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    tt.onnx.export(model, images(3, 4), training=True, dynamic_axes={"input": [0]})
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(np.asarray(value), before[name])


def test_random_numbers_are_those_of_one_run() -> None:
    state = str(tt.get_rng_state())
    with pytest.warns(UserWarning, match="the model draws random numbers"):
        tt.onnx.export(lambda x: x + tt.rand(3), images(2, 3), dynamic_axes={"x": [0]})
    assert str(tt.get_rng_state()) == state


# --- Files and errors --------------------------------------------------------------------------


def test_files(tmp_path: Any) -> None:
    tt.manual_seed(0)
    model = nn.Linear(40, 40)
    path = tmp_path / "model.onnx"
    for external in (False, True, True):
        proto = tt.onnx.export(model, images(2, 40), path, external_data=external)
        (found,) = session(str(path)).run(None, {"input": images(2, 40).numpy()})
        np.testing.assert_allclose(
            found, model(images(2, 40)).detach().numpy(), rtol=1e-5, atol=1e-5
        )
        assert len(proto.graph.initializer[0].raw_data) == 6400
    assert path.stat().st_size < 2000
    assert (tmp_path / "model.onnx.data").stat().st_size == 6400


def test_bad_arguments() -> None:
    model, x = nn.Linear(3, 4), images(2, 3)
    for wrong, kind, message in (
        ({"opset": 17}, ValueError, "opset is from 18 to 25, not 17"),
        ({"dynamic_axes": {"y": [0]}}, ValueError, r"no input 'y'; there are \['input'\]"),
        ({"dynamic_axes": {"input": [2]}}, ValueError, r"is \(2, 3\) and has no axis 2"),
        ({"input_names": ["a", "b"]}, ValueError, "input_names must be 1 different names"),
        ({"output_names": ["a", "b"]}, ValueError, "output_names must be 1 different names"),
        ({"dynamic_axes": {"input": 0}}, TypeError, "dynamic_axes are a dict of the inputs' names"),
        ({"dynamic_axes": {"input": {0: "a", -2: "b"}}}, ValueError, "axis -2 of 'input' is 'a' a"),
        ({"external_data": True}, ValueError, "external_data needs a path"),
    ):
        with pytest.raises(kind, match=message):
            tt.onnx.export(model, x, **wrong)
    with pytest.raises(ValueError, match="output_names must be 2 different names"):
        tt.onnx.export(lambda x: (x + 1, x + 2), x, output_names=["a", "a"])
    with pytest.raises(ValueError, match=r"is \(0, 3\) in the example; give one that has"):
        tt.onnx.export(model, tt.zeros((0, 3)), dynamic_axes={"input": [0]})
    with pytest.raises(TypeError, match="model is a module or a function, not int"):
        tt.onnx.export(3, x)
    with pytest.raises(ValueError, match="returns no tensor"):
        tt.onnx.export(lambda x: 3, x)
