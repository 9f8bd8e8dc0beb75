"""Models of classical machine learning, and what prepares their features (ai.onnx.ml)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_real_floating
from ..registry import operator
from ..values import array, value

__all__: list[str] = []

ML = "ai.onnx.ml"

# --- Features ------------------------------------------------------------------------------------


@operator("Binarizer", domain=ML)
def binarizer(x: Any, *, threshold: float = 0.0) -> Any:
    data = array(x)
    return value((data > threshold).astype(data.dtype))


@operator("Scaler", domain=ML)
def scaler(x: Any, *, offset: Sequence[float] = (0.0,), scale: Sequence[float] = (1.0,)) -> Any:
    x = ops.astype(x, np.float32)
    return (x - np.asarray(offset, np.float32)) * np.asarray(scale, np.float32)


@operator("Normalizer", domain=ML)
def normalizer(x: Any, *, norm: str = "MAX") -> Any:
    x = ops.astype(x, np.float32)
    if norm == "MAX":
        size = ops.max(x, axis=-1, keepdims=True)
    elif norm == "L1":
        size = ops.sum(ops.abs(x), axis=-1, keepdims=True)
    elif norm == "L2":
        size = ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True))
    else:
        raise ValueError(f"Normalizer: norm is MAX, L1 or L2, not {norm!r}")
    return x / ops.where(size == 0, np.float32(1), size)


@operator("Imputer", domain=ML)
def imputer(
    x: Any,
    *,
    imputed_value_floats: Sequence[float] = (),
    imputed_value_int64s: Sequence[int] = (),
    replaced_value_float: float = 0.0,
    replaced_value_int64: int = 0,
) -> Any:
    floats = is_real_floating(x.dtype)
    given: Sequence[float] = imputed_value_floats if floats else imputed_value_int64s
    missing = replaced_value_float if floats else replaced_value_int64
    gone = np.isnan(array(x)) if missing != missing else array(x) == missing
    return ops.where(gone, np.asarray(given, x.dtype), x)


@operator("FeatureVectorizer", domain=ML)
def feature_vectorizer(*parts: Any, inputdimensions: Sequence[int] = ()) -> Any:
    rows = [ops.astype(part, np.float32) for part in parts]
    rows = [ops.reshape(row, (1, -1)) if row.ndim == 1 else row for row in rows]
    return ops.concat([row.reshape(len(row), -1) for row in rows], -1)


@operator("OneHotEncoder", domain=ML)
def one_hot(
    x: Any,
    *,
    cats_int64s: Sequence[int] = (),
    cats_strings: Sequence[str] = (),
    zeros: int = 1,
) -> Any:
    data = array(x)
    known: Any = np.asarray(cats_strings or cats_int64s, object if cats_strings else None)
    found = data[..., np.newaxis] == known
    if not zeros and not found.any(-1).all():
        raise ValueError("OneHotEncoder: x holds what is none of the categories")
    return value(found.astype(np.float32))


def _looked_up(x: Any, keys: Sequence[Any], values: Sequence[Any], default: Any, dtype: Any) -> Any:
    data, table = array(x), dict(zip(keys, values, strict=True))
    missing = [v for k, v in table.items() if k != k]  # NaN is found, too
    made = [
        table.get(item, missing[0] if missing and item != item else default)
        for item in data.reshape(-1).tolist()
    ]
    found = np.empty(len(made), dtype)
    found[:] = made
    return value(found.reshape(data.shape))


@operator("LabelEncoder", domain=ML, since=2)
def label_encoder(
    x: Any,
    *,
    default_float: float = -0.0,
    default_int64: int = -1,
    default_string: str = "_Unused",
    default_tensor: Any = None,
    keys_floats: Sequence[float] = (),
    keys_int64s: Sequence[int] = (),
    keys_strings: Sequence[str] = (),
    keys_tensor: Any = None,
    values_floats: Sequence[float] = (),
    values_int64s: Sequence[int] = (),
    values_strings: Sequence[str] = (),
    values_tensor: Any = None,
) -> Any:
    keys = keys_floats or keys_int64s or keys_strings
    if keys_floats:  # as float32 has them
        keys = np.asarray(keys_floats, np.float32).tolist()
    if keys_tensor is not None:
        keys = array(keys_tensor).reshape(-1).tolist()
    if values_tensor is not None:
        values, dtype = array(values_tensor).reshape(-1).tolist(), array(values_tensor).dtype
        default = (
            array(default_tensor).reshape(-1)[0]
            if default_tensor is not None
            else (default_string if dtype.kind in "OU" else -1 if dtype.kind in "iu" else -0.0)
        )
        return _looked_up(x, keys, values, default, dtype)
    for each, default, kind in (
        (values_floats, default_float, np.float32),
        (values_int64s, default_int64, np.int64),
        (values_strings, default_string, object),
    ):
        if len(each):
            return _looked_up(x, keys, each, default, kind)
    raise ValueError("LabelEncoder: there are no values")


@operator("LabelEncoder", domain=ML)
def label_encoder_1(
    x: Any,
    *,
    classes_strings: Sequence[str],
    default_int64: int = -1,
    default_string: str = "_Unused",
) -> Any:
    numbers = range(len(classes_strings))
    return category_mapper(
        x,
        cats_int64s=numbers,
        cats_strings=classes_strings,
        default_int64=default_int64,
        default_string=default_string,
    )


@operator("CategoryMapper", domain=ML)
def category_mapper(
    x: Any,
    *,
    cats_int64s: Sequence[int],
    cats_strings: Sequence[str],
    default_int64: int = -1,
    default_string: str = "_Unused",
) -> Any:
    if array(x).dtype.kind in "OUS":
        return _looked_up(x, cats_strings, cats_int64s, default_int64, np.int64)
    return _looked_up(x, cats_int64s, cats_strings, default_string, object)


# --- What is done to scores ----------------------------------------------------------------------


def _softmax_zero(x: Any) -> Any:
    """A softmax in which zeros stay zeros."""
    there = array(x) != 0
    raised = ops.where(there, ops.exp(x - ops.max(x, axis=-1, keepdims=True)), 0.0)
    return raised / ops.sum(raised, axis=-1, keepdims=True)


def _probit(x: Any) -> Any:
    return 2**0.5 * ops.erfinv(2 * x - 1)


POST: dict[str, Callable[[Any], Any]] = {
    "NONE": lambda x: x,
    "SOFTMAX": lambda x: ops.softmax(x, -1),
    "LOGISTIC": ops.sigmoid,
    "SOFTMAX_ZERO": _softmax_zero,
    "PROBIT": _probit,
}


def _classified(
    scores: Any,
    labels: tuple[Sequence[str], Sequence[int]],
    post: str,
    limit: float = 0.0,
    shares: bool = True,
) -> tuple[Any, Any]:
    """The labels of the highest scores, and all scores.

    One column of two classes is of the second: it wins above ``limit``, and the first has what is
    left of 1, if these are ``shares``, otherwise the opposite. Runtimes change such a pair by
    LOGISTIC alone.
    """
    names: Any = np.asarray(labels[0], object) if labels[0] else np.asarray(labels[1], np.int64)
    if scores.shape[-1] == 1 and len(names) == 2:
        best = (array(scores)[:, 0] > limit).astype(np.int64)
        if post == "LOGISTIC":
            scores, shares = ops.sigmoid(scores), True
        return value(names[best]), ops.concat([shares - scores, scores], -1)
    return value(names[array(scores).argmax(-1)]), POST[post](scores)


@operator("LinearRegressor", domain=ML)
def linear_regressor(
    x: Any,
    *,
    coefficients: Sequence[float],
    intercepts: Sequence[float] = (),
    post_transform: str = "NONE",
    targets: int = 1,
) -> Any:
    weight = np.asarray(coefficients, np.float32).reshape(targets, -1)
    bias = np.asarray(intercepts, np.float32) if len(intercepts) else None
    return POST[post_transform](ops.linear(ops.astype(x, np.float32), weight, bias))


@operator("LinearClassifier", domain=ML)
def linear_classifier(
    x: Any,
    *,
    classlabels_ints: Sequence[int] = (),
    classlabels_strings: Sequence[str] = (),
    coefficients: Sequence[float],
    intercepts: Sequence[float] = (),
    multi_class: int = 0,
    post_transform: str = "NONE",
) -> tuple[Any, Any]:
    x = ops.astype(x, np.float32)
    weight = np.asarray(coefficients, np.float32).reshape(-1, x.shape[-1])
    bias = np.asarray(intercepts, np.float32) if len(intercepts) else None
    scores = ops.linear(x, weight, bias)
    return _classified(scores, (classlabels_strings, classlabels_ints), post_transform)


KERNELS: dict[str, Callable[..., Any]] = {
    "LINEAR": lambda x, y, gamma, shift, degree: ops.linear(x, y),
    "POLY": lambda x, y, gamma, shift, degree: (gamma * ops.linear(x, y) + shift) ** degree,
    "SIGMOID": lambda x, y, gamma, shift, degree: ops.tanh(gamma * ops.linear(x, y) + shift),
    "RBF": lambda x, y, gamma, shift, degree: ops.exp(-gamma * ops.cdist(x, y) ** 2),
}


@operator("SVMRegressor", domain=ML)
def svm_regressor(
    x: Any,
    *,
    coefficients: Sequence[float],
    kernel_params: Sequence[float] = (0.0, 0.0, 0.0),
    kernel_type: str = "LINEAR",
    n_supports: int = 0,
    one_class: int = 0,
    post_transform: str = "NONE",
    rho: Sequence[float] = (0.0,),
    support_vectors: Sequence[float] = (),
) -> Any:
    x, weights = ops.astype(x, np.float32), np.asarray(coefficients, np.float32)
    if n_supports:
        vectors = np.asarray(support_vectors, np.float32).reshape(n_supports, -1)
        x = KERNELS[kernel_type](x, vectors, *kernel_params)
    y = ops.linear(x, weights[np.newaxis]) + np.float32(rho[0])
    if one_class:
        return ops.where(y > 0, np.float32(1), np.float32(-1))
    return POST[post_transform](y)


# --- Trees ---------------------------------------------------------------------------------------
# All rows of x go down one tree side by side, a level at a time.

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
COMPARE = (np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal)
MEMBER = len(MODES)


def _leaves(
    x: np.ndarray,
    root: tuple[int, bool],
    modes: np.ndarray,
    features: np.ndarray,
    splits: np.ndarray,
    ways: tuple[np.ndarray, np.ndarray],
    ends: tuple[np.ndarray, np.ndarray],
    missing: np.ndarray,
    members: dict[int, np.ndarray],
) -> np.ndarray:
    """The leaf of one tree that each row of x ends at. Where ``ends``, the ways (if true, if false)
    lead to leaves."""
    at = np.full(len(x), root[0])
    going = np.flatnonzero(np.full(len(x), not root[1]))
    while len(going):
        node = at[going]
        seen, split, mode = x[going, features[node]], splits[node], modes[node]
        yes = np.zeros(len(going), bool)
        for number in np.unique(mode):
            those = mode == number
            if number == MEMBER:
                yes[those] = [
                    item in members[place]
                    for item, place in zip(seen[those], node[those], strict=True)
                ]
            else:
                yes[those] = COMPARE[number](seen[those], split[those])
        yes |= np.isnan(seen) & missing[node]
        at[going] = np.where(yes, ways[0][node], ways[1][node])
        going = going[~np.where(yes, ends[0][node], ends[1][node])]
    return at


AGGREGATES = {"AVERAGE": np.add, "SUM": np.add, "MIN": np.minimum, "MAX": np.maximum}


def _gathered(
    scores: np.ndarray, seen: np.ndarray, rows: np.ndarray, targets: Any, weights: Any, how: str
) -> None:
    """Take the weights of leaves, one for each of ``rows``, into their scores."""
    if how in ("SUM", "AVERAGE"):
        np.add.at(scores, (rows, targets), weights)
        return
    first = ~seen[rows, targets]
    scores[rows, targets] = np.where(
        first, weights, AGGREGATES[how](scores[rows, targets], weights)
    )
    seen[rows, targets] = True


@operator("TreeEnsemble", domain=ML, since=5)
def tree_ensemble(
    x: Any,
    *,
    aggregate_function: int = 1,
    leaf_targetids: Sequence[int],
    leaf_weights: Any,
    membership_values: Any = None,
    n_targets: int = 1,
    nodes_falseleafs: Sequence[int],
    nodes_falsenodeids: Sequence[int],
    nodes_featureids: Sequence[int],
    nodes_hitrates: Any = None,
    nodes_missing_value_tracks_true: Sequence[int] | None = None,
    nodes_modes: Any,
    nodes_splits: Any,
    nodes_trueleafs: Sequence[int],
    nodes_truenodeids: Sequence[int],
    post_transform: int = 0,
    tree_roots: Sequence[int],
) -> Any:
    data, modes = array(x), array(nodes_modes).astype(np.int64)
    how = tuple(AGGREGATES)[aggregate_function]
    members: dict[int, np.ndarray] = {}
    if membership_values is not None:  # a set for each node that asks, with NaN between two
        items = array(membership_values)
        sets = np.split(items, np.flatnonzero(np.isnan(items)))
        asking = np.flatnonzero(modes == MEMBER).tolist()
        members = dict(zip(asking, (each[~np.isnan(each)] for each in sets), strict=False))
    count = len(modes)
    missing = np.zeros(count, bool)
    if nodes_missing_value_tracks_true is not None:
        missing = np.asarray(nodes_missing_value_tracks_true, bool)
    true_ends, false_ends = (np.asarray(a, bool) for a in (nodes_trueleafs, nodes_falseleafs))
    ways = np.asarray(nodes_truenodeids), np.asarray(nodes_falsenodeids)
    targets, weights = np.asarray(leaf_targetids), array(leaf_weights)
    scores = np.zeros((len(data), n_targets), data.dtype)
    seen = np.zeros(scores.shape, bool)
    rows = np.arange(len(data))
    for root in tree_roots:
        # A tree of one leaf is a node both of whose ways lead there.
        leaf = _leaves(
            data,
            (root, False),
            modes,
            np.asarray(nodes_featureids),
            array(nodes_splits),
            ways,
            (true_ends, false_ends),
            missing,
            members,
        )
        _gathered(scores, seen, rows, targets[leaf], weights[leaf], how)
    if how == "AVERAGE":
        scores /= len(tree_roots)
    return POST[tuple(POST)[post_transform]](value(scores))


def _ensemble(
    x: Any,
    nodes: dict[str, Any],
    leaves: tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[float]],
    columns: int,
    base: Sequence[float],
    how: str = "SUM",
) -> np.ndarray:
    """The scores of trees whose nodes, leaves among them, are named by tree and number: what
    ``leaves`` say of trees, nodes, columns and weights is added up."""
    data = array(x).astype(np.float32)
    trees, ids = nodes["treeids"], nodes["nodeids"]
    place = {key: i for i, key in enumerate(zip(trees, ids, strict=True))}
    is_leaf = np.array([mode == "LEAF" for mode in nodes["modes"]])
    modes = np.array([0 if mode == "LEAF" else MODES.index(mode) for mode in nodes["modes"]])
    ways = tuple(
        np.array(
            [
                0 if leaf else place[tree, to]
                for tree, to, leaf in zip(trees, nodes[key], is_leaf, strict=True)
            ]
        )
        for key in ("truenodeids", "falsenodeids")
    )
    missing = np.asarray(nodes["missing_value_tracks_true"] or [0] * len(ids), bool)
    at_node: dict[int, list[tuple[int, float]]] = {}
    for tree, number, column, weight in zip(*leaves, strict=True):
        at_node.setdefault(place[tree, number], []).append((column, weight))
    scores = np.zeros((len(data), columns), np.float32)
    seen = np.zeros(scores.shape, bool)
    roots: dict[int, int] = {}
    for i, tree in enumerate(trees):
        roots.setdefault(tree, i)
    for root in roots.values():
        ended = _leaves(
            data,
            (root, bool(is_leaf[root])),
            modes,
            np.asarray(nodes["featureids"]),
            np.asarray(nodes["values"], np.float32),
            (ways[0], ways[1]),
            (is_leaf[ways[0]], is_leaf[ways[1]]),
            missing,
            {},
        )
        for leaf in np.unique(ended):
            rows = np.flatnonzero(ended == leaf)
            for column, weight in at_node.get(int(leaf), ()):
                _gathered(scores, seen, rows, column, np.float32(weight), how)
    if how == "AVERAGE":
        scores /= len(roots)
    if len(base):
        scores += np.asarray(base, np.float32)
    return scores


def _nodes(
    *,
    nodes_falsenodeids: Sequence[int],
    nodes_featureids: Sequence[int],
    nodes_hitrates: Sequence[float] = (),
    nodes_missing_value_tracks_true: Sequence[int] = (),
    nodes_modes: Sequence[str],
    nodes_nodeids: Sequence[int],
    nodes_treeids: Sequence[int],
    nodes_truenodeids: Sequence[int],
    nodes_values: Sequence[float],
) -> dict[str, Any]:
    """The attributes that tell of an ensemble's nodes, without their prefix."""
    return {name.removeprefix("nodes_"): one for name, one in locals().items()}


@operator("TreeEnsembleRegressor", domain=ML, attributes_of=_nodes)
def tree_regressor(
    x: Any,
    *,
    aggregate_function: str = "SUM",
    base_values: Sequence[float] = (),
    n_targets: int = 1,
    post_transform: str = "NONE",
    target_ids: Sequence[int],
    target_nodeids: Sequence[int],
    target_treeids: Sequence[int],
    target_weights: Sequence[float],
    **how: Any,
) -> Any:
    nodes = _nodes(**how)
    leaves = target_treeids, target_nodeids, target_ids, target_weights
    scores = _ensemble(x, nodes, leaves, n_targets, base_values, aggregate_function)
    return POST[post_transform](value(scores))


@operator("TreeEnsembleClassifier", domain=ML, attributes_of=_nodes)
def tree_classifier(
    x: Any,
    *,
    base_values: Sequence[float] = (),
    class_ids: Sequence[int],
    class_nodeids: Sequence[int],
    class_treeids: Sequence[int],
    class_weights: Sequence[float],
    classlabels_int64s: Sequence[int] = (),
    classlabels_strings: Sequence[str] = (),
    post_transform: str = "NONE",
    **how: Any,
) -> tuple[Any, Any]:
    nodes = _nodes(**how)
    leaves = class_treeids, class_nodeids, class_ids, class_weights
    labels = classlabels_strings or classlabels_int64s
    columns = len(labels)
    if columns == 2 and set(class_ids) == {0}:  # scores of the second class alone
        columns = 1
    scores = value(_ensemble(x, nodes, leaves, columns, base_values))
    shares = min(class_weights) >= 0
    names = classlabels_strings, classlabels_int64s
    return _classified(scores, names, post_transform, 0.5 if shares else 0.0, shares)


@operator("ZipMap", domain=ML)
def zip_map(
    x: Any,
    *,
    classlabels_int64s: Sequence[int] = (),
    classlabels_strings: Sequence[str] = (),
) -> list[dict[Any, float]]:
    labels: Sequence[Any] = classlabels_strings or classlabels_int64s
    return [dict(zip(labels, row, strict=True)) for row in array(x).tolist()]
