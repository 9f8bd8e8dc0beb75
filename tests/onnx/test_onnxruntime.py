"""Nodes of many settings, drawn at random or listed, beside onnxruntime."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

import tinytensor as tt
from tests.onnx.runtime import check, onnxruntime_of, ours_of

pytestmark = pytest.mark.no_c
F, I8, U8, I64 = np.float32, np.int8, np.uint8, np.int64


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(F)


def number(rng: np.random.Generator, low: float, high: float) -> float:
    return float(F(rng.uniform(low, high)))


# --- Recurrent layers -----------------------------------------------------------------------------

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
ACTIVATIONS = ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Elu", "Softsign", "Softplus")
SCALED = ("Affine", "ThresholdedRelu", "ScaledTanh")  # onnxruntime has other defaults for these


@pytest.mark.parametrize("kind", GATES)
def test_recurrent(kind):
    rng = np.random.default_rng(0)
    for _ in range(40):
        direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
        d, gates = 1 + (direction == "bidirectional"), GATES[kind]
        steps, batch, size, hidden = rng.integers(1, (6, 4, 5, 5))

        def maybe(*shape: int, share: float = 0.5) -> np.ndarray | None:
            return normal(rng, *shape) if rng.random() < share else None

        inputs: list[Any] = [
            normal(rng, steps, batch, size),
            normal(rng, d, gates * hidden, size) / 2,
            normal(rng, d, gates * hidden, hidden) / 4,
            maybe(d, 2 * gates * hidden, share=0.7),
            rng.integers(1, steps + 1, batch).astype(np.int32) if rng.random() < 0.4 else None,
            maybe(d, batch, hidden),
        ]
        how: dict[str, Any] = {"direction": direction, "hidden_size": int(hidden)}
        if rng.random() < 0.5:
            count, scaled = d * FUNCTIONS[kind], rng.random() < 0.5
            names = ACTIVATIONS + SCALED if scaled else ACTIVATIONS
            how["activations"] = [str(rng.choice(names)) for _ in range(count)]
            if scaled:
                how["activation_alpha"] = [number(rng, 0.2, 1.2) for _ in range(count)]
                how["activation_beta"] = [number(rng, 0.2, 1.2) for _ in range(count)]
        if rng.random() < 0.3:
            how["clip"] = number(rng, 0.3, 1.0)
        if kind == "GRU":
            how["linear_before_reset"] = int(rng.integers(2))
        if kind == "LSTM":
            inputs += [maybe(d, batch, hidden), maybe(d, 3 * hidden, share=0.4)]
            how["input_forget"] = int(rng.random() < 0.3)
        while inputs[-1] is None:
            inputs.pop()
        check(kind, inputs, [F] * (3 if kind == "LSTM" else 2), 14, tolerance=2e-5, **how)


# --- Resize and grids ----------------------------------------------------------------------------

COORDINATES = (
    "half_pixel_symmetric",
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize(mode):
    rng = np.random.default_rng(1)
    for _ in range(60):
        x = normal(rng, 1, 2, *rng.integers(2, 8, 2))
        # Which of two neighbours is nearer where both are as near, is rounding: no symmetric places
        # and no sizes for "nearest", whose quotients end in halves.
        coordinates = str(rng.choice(COORDINATES[1 if mode == "nearest" else 0 :]))
        how: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates}
        roi = scales = sizes = None
        if mode == "nearest":
            how["nearest_mode"] = str(rng.choice(ROUNDINGS))
        elif mode == "cubic":
            how["cubic_coeff_a"] = float(rng.choice([-0.5, -0.75]))
            how["exclude_outside"] = int(rng.integers(2))
        if coordinates == "tf_crop_and_resize":
            roi = np.r_[0, 0, rng.uniform(-0.2, 0.4, 2), 1, 1, rng.uniform(0.6, 1.2, 2)].astype(F)
            how["extrapolation_value"] = 7.0
        elif mode != "nearest":
            how["antialias"] = int(rng.random() < 0.4)
        if mode == "nearest" or rng.random() < 0.5:
            # onnxruntime leaves an axis of scale 1 as it is, whatever the region is.
            scales = np.r_[1, 1, rng.choice([0.5, 0.6, 0.8, 1.5, 2, 2.3, 3], 2)].astype(F)
        else:
            sizes = rng.integers(1, 13, 2)
            sizes = sizes + (sizes == x.shape[2:])
            # With a policy onnxruntime smooths by other scales.
            if roi is None and not how.get("antialias") and rng.random() < 0.4:
                how["keep_aspect_ratio_policy"] = str(rng.choice(["not_larger", "not_smaller"]))
                how["axes"] = [2, 3]
            else:
                sizes = np.r_[1, 2, sizes]
        inputs = [x, roi, scales, sizes]
        check("Resize", inputs[: 3 if sizes is None else 4], [F], 19, **how)


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_grid_sample(mode):
    rng = np.random.default_rng(2)
    x, grid = normal(rng, 2, 3, 5, 6), rng.uniform(-1.5, 1.5, (2, 4, 3, 2)).astype(F)
    for padding in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            how = {"mode": mode, "padding_mode": padding, "align_corners": corners}
            check("GridSample", [x, grid], [F], 20, **how)


# --- Convolutions and pools -----------------------------------------------------------------------


def windowed(rng: np.random.Generator, axes: int, dilates: bool = True) -> dict[str, Any]:
    """Settings of windows along axes."""
    how: dict[str, Any] = {"strides": rng.integers(1, 3, axes).tolist()}
    padding = str(rng.choice(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    how["auto_pad"] = padding
    if dilates and padding in ("NOTSET", "VALID"):  # onnxruntime has no dilation of SAME
        how["dilations"] = rng.integers(1, 3, axes).tolist()
    if padding == "NOTSET":
        how["pads"] = rng.integers(0, 2, 2 * axes).tolist()
    return how


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_convolutions(kind):
    rng = np.random.default_rng(3)
    for _ in range(30):
        axes, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2]))
        kernel = rng.integers(2, 4, axes)
        how = windowed(rng, axes, dilates=kind == "Conv") | {"group": groups}
        if kind == "ConvTranspose" and how["auto_pad"] == "NOTSET":
            how["output_padding"] = [int(rng.integers(0, s)) for s in how["strides"]]
            how["pads"] = [0] * 2 * axes
        x = normal(rng, 2, 4, *rng.integers(6, 9, axes))
        channels = (6, 4 // groups) if kind == "Conv" else (4, 6 // groups)
        bias = normal(rng, 6) if rng.random() < 0.5 else None
        inputs = [x, normal(rng, *channels, *kernel), bias]
        check(kind, inputs[: 2 if bias is None else 3], [F], 11, **how)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool", "LpPool"])
def test_pools(kind):
    rng = np.random.default_rng(4)
    for _ in range(30):
        axes = int(rng.integers(1, 4))
        how = windowed(rng, axes, dilates=kind == "MaxPool")
        how["kernel_shape"] = rng.integers(2, 4, axes).tolist()
        if kind == "AveragePool":
            how["count_include_pad"] = int(rng.integers(2))
        if kind != "LpPool" and how["auto_pad"] == "NOTSET":
            how["ceil_mode"] = int(rng.integers(2))
        x = normal(rng, 2, 3, *rng.integers(6, 10, axes))
        opset = 12 if kind == "MaxPool" else 11
        check(kind, [x], [F], opset, **how)


# --- Small integers ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [U8, I8])
def test_quantised(dtype):
    rng = np.random.default_rng(5)
    limits = np.iinfo(dtype)

    def whole(*shape: int) -> np.ndarray:
        return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)

    def scales(*shape: int) -> np.ndarray:
        return rng.uniform(0.01, 0.05, shape).astype(F)

    x = 3 * normal(rng, 3, 8, 5)
    check("QuantizeLinear", [x, scales(), whole()], [dtype], 13)
    check("DequantizeLinear", [whole(3, 8, 5), scales(), whole()], [F], 13)
    check("QuantizeLinear", [x, scales(8), whole(8)], [dtype], 13, axis=1)
    check("DequantizeLinear", [whole(3, 8, 5), scales(5), whole(5)], [F], 13, axis=-1)
    blocks = {"axis": 1, "block_size": 3}
    check("QuantizeLinear", [x, scales(3, 3, 5), whole(3, 3, 5)], [dtype], 21, **blocks)
    check("DequantizeLinear", [whole(3, 8, 5), scales(3, 3, 5), whole(3, 3, 5)], [F], 21, **blocks)
    weights = rng.integers(-128, 128, (50, 3)).astype(I8)
    a, zeros = whole(2, 4, 50), np.zeros(3, I8)
    check("MatMulInteger", [a, weights, whole(), np.int8(3)], [np.int32], 10)
    given = [a, scales(), whole(), weights, scales(3), zeros, F(1.5), whole()]
    check("QLinearMatMul", given, [dtype], 10)
    images, filters = whole(2, 4, 7, 6), rng.integers(-128, 128, (6, 2, 3, 2)).astype(I8)
    how = {"group": 2, "pads": [1, 0, 1, 1], "strides": [2, 1]}
    if dtype is U8:  # what onnxruntime has of ConvInteger
        check("ConvInteger", [images, filters, whole()], [np.int32], 10, **how)
    bias = rng.integers(-5000, 5000, 6).astype(np.int32)
    given = [images, scales(), whole(), filters, scales(6), np.zeros(6, I8), F(1.5), whole(), bias]
    check("QLinearConv", given, [dtype], 10, **how)


def test_dynamic_quantisation():
    rng = np.random.default_rng(6)
    for x in (normal(rng, 3, 5), abs(normal(rng, 4)) + 3, -abs(normal(rng, 4)), np.zeros(3, F)):
        check("DynamicQuantizeLinear", [x], [U8, F, U8], 11)


MS = "com.microsoft"


def test_contributed_operators():
    rng = np.random.default_rng(13)

    def stored(*shape: int) -> list[np.ndarray]:
        """An array, its scale and its zero point."""
        scale = rng.uniform(0.01, 0.05, ()).astype(F)
        return [rng.integers(0, 256, shape).astype(U8), scale, U8(rng.integers(90, 160))]

    to = [F(0.04), U8(120)]
    a, b = stored(2, 3, 4, 5), stored(3, 1, 5)
    for name in ("QLinearAdd", "QLinearMul"):
        check(name, [*a, *b, *to], [U8], 1, MS)
    check("QLinearSigmoid", [*a, *to], [U8], 1, MS)
    check("QLinearLeakyRelu", [*a, *to], [U8], 1, MS, alpha=0.1)
    check("QLinearGlobalAveragePool", [*a, *to], [U8], 1, MS)
    how = {"kernel_shape": [2, 2], "strides": [1, 2], "pads": [0, 1, 0, 0]}
    check("QLinearAveragePool", [*a, *to], [U8], 1, MS, **how)
    check("QLinearConcat", [*to, *a, *stored(2, 2, 4, 5)], [U8], 1, MS, axis=1)
    condition = rng.random((2, 3, 4, 5)) < 0.5
    check("QLinearWhere", [condition, *a, *stored(2, 3, 4, 5), *to], [U8], 1, MS)
    x, w = stored(4, 6), [rng.integers(-128, 128, (5, 6)).astype(I8), F(0.02), np.int8(0)]
    bias = rng.integers(-3000, 3000, 5).astype(np.int32)
    check("QGemm", [*x, *w, bias, *to], [U8], 1, MS, transB=1)
    check("QGemm", [*x, *w, bias], [F], 1, MS, transB=1)
    floats, columns = normal(rng, 3, 6), rng.integers(-128, 128, (6, 5)).astype(I8)
    check("DynamicQuantizeMatMul", [floats, columns, F(0.02)], [F], 1, MS)
    given = [x[0], columns, x[1], F(0.02), x[2], np.int8(3), normal(rng, 5)]
    check("MatMulIntegerToFloat", given, [F], 1, MS)


def test_lstm_of_small_integers():
    rng = np.random.default_rng(14)
    for direction, d in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
        inputs: list[Any] = [
            normal(rng, 5, 3, 6),
            rng.integers(-128, 128, (d, 6, 16)).astype(I8),
            rng.integers(-128, 128, (d, 4, 16)).astype(I8),
            normal(rng, d, 32),
            None,
            normal(rng, d, 3, 4),
            normal(rng, d, 3, 4),
            None,
        ]
        for _ in range(2):
            inputs += [rng.uniform(0.002, 0.005, d).astype(F), np.zeros(d, I8)]
        how = {"direction": direction, "hidden_size": 4}
        check("DynamicQuantizeLSTM", inputs, [F] * 3, 1, MS, **how)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_a_network_made_of_small_integers(form, per_channel, tmp_path, caplog):
    caplog.set_level("ERROR")
    tools = pytest.importorskip("onnxruntime.quantization")
    rng = np.random.default_rng(15)
    tt.manual_seed(0)
    network = tt.nn.Sequential(
        tt.nn.Conv2d(3, 8, 3, padding=1),
        tt.nn.ReLU(),
        tt.nn.MaxPool2d(2),
        tt.nn.Conv2d(8, 8, 3, groups=2),
        tt.nn.ReLU(),
        tt.nn.Flatten(),
        tt.nn.Linear(32, 5),
    )
    batches = [normal(rng, 4, 3, 8, 8) for _ in range(3)]
    plain, small = tmp_path / "plain.onnx", tmp_path / "small.onnx"
    tt.onnx.export(network, batches[0], plain)
    name = onnx.load(plain).graph.input[0].name

    class Batches(tools.CalibrationDataReader):
        left = iter(batches)

        def get_next(self):
            batch = next(self.left, None)
            return None if batch is None else {name: batch}

    if form == "dynamic":
        tools.quantize_dynamic(plain, small, per_channel=per_channel)
    else:
        how = {"quant_format": tools.QuantFormat[form], "per_channel": per_channel}
        tools.quantize_static(plain, small, Batches(), **how)
    model = onnx.load(small)
    kinds = {node.op_type for node in model.graph.node}
    kind = {"QDQ": "DequantizeLinear", "QOperator": "QLinearConv", "dynamic": "ConvInteger"}[form]
    assert kind in kinds
    feed = {name: batches[1]}
    (want,), (have,) = onnxruntime_of(model, feed), ours_of(model, feed)
    np.testing.assert_allclose(have, want, atol=1e-5)
    if form == "QDQ":  # it could be trained further
        x = tt.tensor(batches[1], requires_grad=True)
        tt.onnx.load(model)(x).sum().backward()
        assert x.grad.abs().max() > 1e-3
    exact = network(batches[1]).numpy()
    assert 1e-4 < abs(have - exact).max() < 0.1


# --- Boxes, signals, losses, attention -----------------------------------------------------------


def test_boxes():
    rng = np.random.default_rng(7)
    boxes = np.sort(rng.random((2, 40, 2, 2)), 2).reshape(2, 40, 4).astype(F)
    scores = rng.random((2, 3, 40)).astype(F)
    limits = [np.array([9]), np.array([0.4], F)]
    check("NonMaxSuppression", [boxes, scores, *limits, np.array([0.3], F)], [I64], 11)
    check("NonMaxSuppression", [boxes, scores, *limits], [I64], 11, center_point_box=1)
    check("NonMaxSuppression", [boxes, scores], [I64], 11)
    x, regions = normal(rng, 2, 3, 8, 9), [[0, 0, 6, 5], [1, 2, 3.3, 7.7], [-1, -2, 12, 9]]
    given = [x, np.array(regions, F), np.array([0, 1, 1])]
    size = {"output_height": 3, "output_width": 2, "spatial_scale": 0.8}
    for mode in ("avg", "max"):
        for coordinates in ("half_pixel", "output_half_pixel"):
            for ratio in (0, 2):
                how = {"coordinate_transformation_mode": coordinates, "sampling_ratio": ratio}
                check("RoiAlign", given, [F], 16, mode=mode, **how, **size)
    regions = np.array([[0, 0, 0, 6, 5], [1, 1, 2, 9, 12]], F)
    check("MaxRoiPool", [x, regions], [F], 1, pooled_shape=[3, 2], spatial_scale=0.7)


def test_signals():
    rng = np.random.default_rng(8)
    check("DFT", [normal(rng, 2, 10, 3, 1)], [F], 17, axis=1)
    check("DFT", [normal(rng, 2, 10, 1), np.array(8)], [F], 17, axis=1, onesided=1)
    check("DFT", [normal(rng, 2, 10, 2)], [F], 17, axis=1, inverse=1)
    check("STFT", [normal(rng, 2, 64, 1), np.array(8), normal(rng, 16)], [F], 17)
    ends = [np.array(n) for n in (8, 64, 8000)] + [F(0.0), F(4000.0)]
    check("MelWeightMatrix", ends, [F], 17)
    for name in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            check(name, [np.array(9)], [F], 17, periodic=periodic)


def test_losses():
    rng = np.random.default_rng(9)
    x, target, weight = normal(rng, 3, 5, 2), rng.integers(0, 5, (3, 2)), abs(normal(rng, 5))
    for reduction in ("none", "mean", "sum"):
        how = {"reduction": reduction, "ignore_index": 1}
        check("NegativeLogLikelihoodLoss", [x, target, weight], [F], 13, **how)
        check("SoftmaxCrossEntropyLoss", [x, target, weight], [F, F], 13, **how)
    check("SoftmaxCrossEntropyLoss", [x, target], [F], 13)


def test_attention():
    rng = np.random.default_rng(10)
    q, k, v = normal(rng, 2, 4, 3, 8), normal(rng, 2, 2, 5, 8), normal(rng, 2, 2, 5, 6)
    check("Attention", [q, k, v], [F], 23)
    past = [normal(rng, 2, 2, 4, 8), normal(rng, 2, 2, 4, 6)]
    mask = rng.random((3, 9)) < 0.8
    for mode in range(3):  # −∞ of hidden scores is a finite number there: 3 is what it makes of it
        given, how = [q, k, v, None, *past], {"qk_matmul_output_mode": mode, "softcap": 2.0}
        check("Attention", given, [F] * 4, 23, **how)
    check("Attention", [q, k, v, mask, *past], [F] * 4, 23, qk_matmul_output_mode=3)
    flat = [normal(rng, 2, 3, 32), normal(rng, 2, 5, 16), normal(rng, 2, 5, 16), normal(rng, 3, 5)]
    check("Attention", flat, [F], 23, q_num_heads=4, kv_num_heads=2, softcap=2.0)
    caches = [normal(rng, 9, 4), normal(rng, 9, 4), rng.integers(0, 9, (2, 3))]
    for interleaved in (0, 1):
        check("RotaryEmbedding", [q, *caches], [F], 23, interleaved=interleaved)


# --- Classical models ----------------------------------------------------------------------------

ML = "ai.onnx.ml"


def tree_attributes(trees: list[Any], target: str, columns: int) -> dict[str, Any]:
    """scikit-learn's trees as nodes."""
    found = defaultdict(list)
    for number_of_tree, tree in enumerate(each.tree_ for each in trees):
        for i in range(tree.node_count):
            leaf = tree.children_left[i] < 0
            for name, of_leaf, of_branch in (
                ("modes", "LEAF", "BRANCH_LEQ"),
                ("featureids", 0, int(tree.feature[i])),
                ("values", 0.0, float(F(tree.threshold[i]))),
                ("truenodeids", 0, int(tree.children_left[i])),
                ("falsenodeids", 0, int(tree.children_right[i])),
                ("treeids", number_of_tree, number_of_tree),
                ("nodeids", i, i),
            ):
                found[f"nodes_{name}"].append(of_leaf if leaf else of_branch)
            for column in range(columns if leaf else 0):
                found[f"{target}_treeids"].append(number_of_tree)
                found[f"{target}_nodeids"].append(i)
                found[f"{target}_ids"].append(column)
                found[f"{target}_weights"].append(float(tree.value[i].ravel()[column]))
    return dict(found)


def test_trees():
    trees = pytest.importorskip("sklearn.tree")
    rng = np.random.default_rng(11)
    x = normal(rng, 200, 4)
    y = np.sin(x.sum(1))
    fitted = [trees.DecisionTreeRegressor(max_depth=n, random_state=n).fit(x, y) for n in (1, 4)]
    for how in ("SUM", "AVERAGE", "MIN", "MAX"):
        attributes = tree_attributes(fitted, "target", 1)
        attributes |= {"aggregate_function": how, "base_values": [0.5], "n_targets": 1}
        check("TreeEnsembleRegressor", [x], [F], 3, ML, **attributes)
    kinds = (x.sum(1) > 0).astype(int) + (x[:, 0] > 1)
    fitted = [trees.DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, kinds)]
    for post in ("NONE", "SOFTMAX", "LOGISTIC"):
        attributes = tree_attributes(fitted, "class", 3) | {"post_transform": post}
        attributes["classlabels_int64s"] = [3, 5, 7]
        check("TreeEnsembleClassifier", [x], [I64, F], 3, ML, **attributes)
    for weights in ([0.2, 0.9], [-0.2, -0.9], [-0.2, 0.9]):  # one score of two classes
        one = tree_attributes(fitted, "class", 0)
        stump = {key: values[:3] for key, values in one.items()}
        stump["nodes_modes"] = ["BRANCH_LEQ", "LEAF", "LEAF"]
        stump["nodes_truenodeids"], stump["nodes_falsenodeids"] = [1, 0, 0], [2, 0, 0]
        stump["nodes_nodeids"] = [0, 1, 2]
        leaves = {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 0]}
        for post in ("NONE", "LOGISTIC"):
            how = {"class_weights": weights, "post_transform": post, "classlabels_int64s": [3, 5]}
            check("TreeEnsembleClassifier", [x], [I64, F], 3, ML, **stump, **leaves, **how)


def test_linear_models_and_features():
    rng = np.random.default_rng(12)
    x = normal(rng, 20, 4)
    for post in ("NONE", "SOFTMAX", "LOGISTIC"):
        for labels in ([3, 5], [3, 5, 7]):
            rows = 1 if len(labels) == 2 else 3
            how = {
                "coefficients": normal(rng, 4 * rows).tolist(),
                "intercepts": normal(rng, rows).tolist(),
                "classlabels_ints": labels,
                "post_transform": post,
            }
            check("LinearClassifier", [x], [I64, F], 1, ML, **how)
    weights = normal(rng, 8).tolist()
    check("LinearRegressor", [x], [F], 1, ML, coefficients=weights, targets=2)
    vectors = {"support_vectors": normal(rng, 12).tolist(), "n_supports": 3, "rho": [0.3]}
    vectors |= {"coefficients": weights[:3], "kernel_params": [0.4, 0.2, 2.0]}
    for kernel in ("LINEAR", "POLY", "SIGMOID", "RBF"):
        for one_class in (0, 1):
            how = vectors | {"kernel_type": kernel, "one_class": one_class}
            check("SVMRegressor", [x], [F], 1, ML, **how)
    names = {"cats_strings": ["a", "b"], "cats_int64s": [7, 3]}
    check("CategoryMapper", [np.array([3, 7, 1])], [object], 1, ML, **names)
    check("Scaler", [x], [F], 1, ML, offset=weights[:4], scale=weights[4:])
    for norm in ("MAX", "L1", "L2"):
        check("Normalizer", [x], [F], 1, ML, norm=norm)
    holes = np.where(x > 1, np.nan, x).astype(F)
    how = {"imputed_value_floats": [1.0, 2.0, 3.0, 4.0], "replaced_value_float": float("nan")}
    check("Imputer", [holes], [F], 1, ML, **how)
    check("FeatureVectorizer", [x, x[:, :2]], [F], 1, ML, inputdimensions=[4, 2])
    check("OneHotEncoder", [np.array([[1, 3], [7, 2]])], [F], 1, ML, cats_int64s=[1, 2, 3])
    check("Binarizer", [x], [F], 1, ML, threshold=0.2)
