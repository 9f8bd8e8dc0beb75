"""Activations, losses and distances as modules, beside PyTorch's, over a grid of arguments."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

torch = pytest.importorskip("torch")
tnn = torch.nn


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def fixed(x: np.ndarray) -> np.ndarray:
    """An input that wants no gradient."""
    x = x.copy()
    x.flags.writeable = False
    return x


def wants_gradient(x: np.ndarray) -> bool:
    return x.flags.writeable and x.dtype.kind == "f"


def inputs(arrays: list[Any], library: Any) -> list[Any]:
    """The arrays as tensors of ours or of PyTorch; floats want gradients, if they are not fixed."""
    made = []
    for x in arrays:
        if isinstance(x, np.ndarray):
            wants = wants_gradient(x)
            x = library.tensor(x.copy())
            x.requires_grad = wants
        made.append(x)
    return made


def converted(settings: dict[str, Any], library: Any) -> dict[str, Any]:
    return {
        name: library.tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in settings.items()
    }


# PyTorch rounds constants of these to float32 in its backward.
SINGLE = ("CELU", "ELU", "Hardsigmoid", "Hardswish")


def compare(ours: Any, theirs: Any, arrays: list[Any], second: bool = True) -> None:
    """Representation, keys, value and all gradients; second gradients by finite differences."""
    tolerance = 2e-7 if type(ours).__name__ in SINGLE else 1e-10
    assert repr(ours) == repr(theirs)
    if any(True for _ in theirs.parameters()):
        theirs.double()
        ours.to(tt.float64)
        ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    mine, yours = inputs(arrays, tt), inputs(arrays, torch)
    got, wanted = ours(*mine), theirs(*yours)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got.numpy(), wanted.detach().numpy(), rtol=1e-12, atol=1e-13)
    g = normal(*got.shape, seed=9)
    (got * tt.tensor(g)).sum().backward()
    (wanted * torch.tensor(g)).sum().backward()
    pairs = [
        *zip(mine, yours, strict=True),
        *zip(ours.parameters(), theirs.parameters(), strict=True),
    ]
    for i, (x, y) in enumerate(pairs):
        if getattr(y, "grad", None) is not None:
            assert x.grad is not None, f"argument {i}"
            np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=tolerance, atol=1e-12)
    if second:
        varied = [isinstance(x, np.ndarray) and wants_gradient(x) for x in arrays]

        def call(*given: Any) -> Any:
            rest = iter(given)
            return ours(*[next(rest) if v else x for v, x in zip(varied, arrays, strict=True)])

        floats = [x for v, x in zip(varied, arrays, strict=True) if v]
        tt.func.check_grad(call, *floats, order=2, atol=1e-5)


# --- Activations -----------------------------------------------------------------------------

ACTIVATIONS: dict[str, list[dict[str, Any]]] = {
    "CELU": [{}, {"alpha": 0.4}, {"alpha": -2.0}],
    "ELU": [{}, {"alpha": 0.4}],
    "GELU": [{}, {"approximate": "tanh"}],
    "GLU": [{}, {"dim": 0}, {"dim": -2}],
    "Hardshrink": [{}, {"lambd": 1.2}, {"lambd": 0}],
    "Hardsigmoid": [{}],
    "Hardswish": [{}],
    "Hardtanh": [{}, {"min_val": -0.3, "max_val": 0.8}],
    "LeakyReLU": [{}, {"negative_slope": 0.3}],
    "LogSigmoid": [{}],
    "LogSoftmax": [{"dim": 0}, {"dim": -1}],
    "Mish": [{}],
    "PReLU": [{}, {"init": 0.7}, {"num_parameters": 6}],
    "RReLU": [{"lower": 0.3, "upper": 0.3}],
    "ReLU": [{}],
    "ReLU6": [{}],
    "SELU": [{}],
    "SiLU": [{}],
    "Sigmoid": [{}],
    "Softmax": [{"dim": 1}, {"dim": -2}],
    "Softmax2d": [{}],
    "Softmin": [{"dim": 0}, {"dim": -1}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 1.5}],
    "Softshrink": [{}, {"lambd": 1.2}],
    "Softsign": [{}],
    "Tanh": [{}],
    "Tanhshrink": [{}],
    "Threshold": [{"threshold": 0.1, "value": 20.0}],
}
IN_PLACE = [
    "CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "Mish", "RReLU", "ReLU",
    "ReLU6", "SELU", "SiLU",
]  # fmt: skip
SHAPES = [(4, 6, 2), (2, 6, 4, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("name", "settings"), [(n, s) for n, many in ACTIVATIONS.items() for s in many], ids=str
)
def test_activation(name: str, settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    ours, theirs = (getattr(library, name)(**settings) for library in (nn, tnn))
    for training in (True, False):
        compare(ours.train(training), theirs.train(training), [2 * normal(*shape)], not training)
        for module in (ours, theirs):
            module.zero_grad()


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_changes_nothing_but_the_name(name: str) -> None:
    ours, theirs = (getattr(library, name)(inplace=True) for library in (nn, tnn))
    assert repr(ours) == repr(theirs)
    x = tt.tensor([-1.0, 2.0])
    ours(x)
    assert x.tolist() == [-1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("celu_", (0.5,)), ("elu_", (0.5,)), ("hardtanh_", (-0.3, 0.8)), ("leaky_relu_", (0.2,)),
        ("relu_", ()), ("rrelu_", ()), ("selu_", ()), ("threshold_", (0.1, 3.0)),
    ],
)  # fmt: skip
def test_functions_in_place(name: str, args: tuple[float, ...]) -> None:
    found = []
    for library in (tt, torch):
        leaf = library.tensor(normal(3, 4))
        leaf.requires_grad = True
        x = leaf * 2.0
        function = getattr(library.nn.functional, name)
        assert function(x, *args) is x
        (x * x).sum().backward()
        found.append((x.detach().numpy(), leaf.grad.numpy()))
    for got, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_rrelu_draws_in_training() -> None:
    layer, x = nn.RReLU(0.1, 0.4), -tt.ones((1000,))
    slopes = -layer(x).numpy()
    assert 0.1 <= slopes.min() < 0.12 < 0.38 < slopes.max() < 0.4
    np.testing.assert_allclose(layer.eval()(x).numpy(), -0.25, rtol=1e-6)


def test_gumbel_softmax() -> None:
    logits = tt.log(tt.tensor([0.1, 0.2, 0.7]))
    tt.manual_seed(0)
    drawn = nn.functional.gumbel_softmax(tt.broadcast_to(logits, (20000, 3)), tau=0.5, hard=True)
    assert sorted(np.unique(drawn.numpy().round(6)).tolist()) == [0, 1]
    np.testing.assert_allclose(drawn.numpy().mean(0), [0.1, 0.2, 0.7], atol=0.015)
    x = tt.zeros((4, 3), requires_grad=True)
    soft = nn.functional.gumbel_softmax(x, dim=0)
    np.testing.assert_allclose(soft.sum(0).tolist(), 1, rtol=1e-5)
    nn.functional.gumbel_softmax(x, hard=True, dim=0)[0].sum().backward()
    assert x.grad is not None
    assert x.grad.numpy().any()


# --- Losses ----------------------------------------------------------------------------------

POSITIVE = normal(4, 5, seed=3) ** 2 + 0.1
SIGNS = fixed(np.where(normal(4, seed=2) > 0, 1.0, -1.0))
TABLE_OF_SIGNS = fixed(np.where(normal(4, 5, seed=2) > 0, 1.0, -1.0))
CLASSES = np.array([1, 0, 4, 1])
MARKS = np.array([[1, 3, -1, 0, 0], [2, 0, 1, 4, 3], [-1, 1, 2, 3, 4], [4, -1, -1, 0, 2]])
WEIGHT = normal(5, seed=4) ** 2
PROBABILITIES = np.exp(normal(4, 5)) / np.exp(normal(4, 5)).sum(-1, keepdims=True)
LIKE = normal(4, 5, seed=1)

# name, the grid of settings, the inputs
LOSSES: list[tuple[str, dict[str, list[Any]], list[Any]]] = [
    ("CosineEmbeddingLoss", {"margin": [0.0, 0.3, -0.5]}, [normal(4, 5), LIKE, SIGNS]),
    ("CosineEmbeddingLoss", {}, [normal(5), LIKE[0], np.array(-1.0)]),
    (
        "GaussianNLLLoss",
        {"full": [False, True], "eps": [1e-6, 0.05]},
        [normal(4, 5), LIKE, POSITIVE],
    ),
    ("GaussianNLLLoss", {}, [normal(4, 5), LIKE, POSITIVE[:, :1]]),
    ("GaussianNLLLoss", {}, [normal(4, 5), LIKE, POSITIVE[:, 0].copy()]),
    ("GaussianNLLLoss", {}, [normal(4, 5), LIKE, 0.7]),
    ("HingeEmbeddingLoss", {"margin": [1.0, 0.2]}, [normal(4, 5), TABLE_OF_SIGNS]),
    ("HuberLoss", {"delta": [1.0, 0.3]}, [normal(4, 5), LIKE]),
    ("KLDivLoss", {"log_target": [False]}, [np.log(PROBABILITIES), PROBABILITIES[::-1].copy()]),
    ("KLDivLoss", {"log_target": [True]}, [np.log(PROBABILITIES), LIKE]),
    ("MarginRankingLoss", {"margin": [0.0, 0.5]}, [normal(4), LIKE[:, 0].copy(), SIGNS]),
    ("MultiLabelMarginLoss", {}, [normal(4, 5), MARKS]),
    ("MultiLabelMarginLoss", {}, [normal(5), MARKS[0]]),
    (
        "MultiLabelSoftMarginLoss",
        {"weight": [None, WEIGHT]},
        [normal(4, 5), (TABLE_OF_SIGNS + 1) / 2],
    ),
    (
        "MultiMarginLoss",
        {"p": [1, 2], "margin": [1.0, 0.4], "weight": [None, WEIGHT]},
        [normal(4, 5), CLASSES],
    ),
    ("MultiMarginLoss", {}, [normal(5), np.array(3)]),
    (
        "NLLLoss",
        {"ignore_index": [-100, 1]},
        [normal(4, 5, 2, 3), np.tile(CLASSES[:, None, None], (1, 2, 3))],
    ),
    (
        "PoissonNLLLoss",
        {"log_input": [True, False], "full": [False, True], "eps": [1e-8, 0.2]},
        [POSITIVE, fixed(np.round(POSITIVE[::-1] * 3))],
    ),
    ("SmoothL1Loss", {"beta": [1.0, 0.3]}, [normal(4, 5), LIKE]),
    ("SoftMarginLoss", {}, [normal(4, 5), TABLE_OF_SIGNS]),
    (
        "TripletMarginLoss",
        {"margin": [1.0, 3.0], "p": [2.0, 1.0, 3.0], "swap": [False, True]},
        [normal(4, 5), LIKE, normal(4, 5, seed=6)],
    ),
    ("TripletMarginLoss", {"eps": [1e-6, 0.1]}, [normal(5), LIKE[0], normal(5, seed=6)]),
    (
        "TripletMarginWithDistanceLoss",
        {"margin": [1.0, 3.0], "swap": [False, True]},
        [normal(4, 5), LIKE, normal(4, 5, seed=6)],
    ),
]  # fmt: skip


def grid(settings: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(settings, values, strict=True)) for values in product(*settings.values())]


CASES = [(i, setting) for i, (_, settings, _) in enumerate(LOSSES) for setting in grid(settings)]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_loss(case: int, reduction: str) -> None:
    index, settings = CASES[case]
    name, _, arrays = LOSSES[index]
    ours, theirs = (
        getattr(library.nn, name)(**converted(settings, library), reduction=reduction)
        for library in (tt, torch)
    )
    compare(ours, theirs, arrays, reduction == "none")


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [("mse_loss", {}), ("l1_loss", {}), ("huber_loss", {}), ("huber_loss", {"delta": 0.4})],
    ids=str,
)
def test_weighted_differences(name: str, settings: dict[str, float], reduction: str) -> None:
    arrays = [normal(4, 5), LIKE, POSITIVE]
    found = []
    for library in (tt, torch):
        x, y, w = inputs(arrays, library)
        function = getattr(library.nn.functional, name)
        out = function(x, y, reduction=reduction, weight=w, **settings)
        out.sum().backward()
        found.append([a.detach().numpy() for a in (out, x.grad, y.grad, w.grad)])
    for got, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)

    def call(x: Any, y: Any, w: Any) -> Any:
        return getattr(tt, name)(x, y, reduction=reduction, weight=w, **settings)

    tt.func.check_grad(call, *arrays, order=2, atol=1e-5)
    lanes = [np.stack([a, a + 0.3]) for a in arrays]
    got = tt.func.vmap(call)(*map(tt.tensor, lanes))
    np.testing.assert_allclose(got[0].numpy(), call(*map(tt.tensor, arrays)).numpy(), rtol=1e-12)
    with pytest.raises(tt.ShapeError, match=f"^{name}: weight is \\(5,\\), and the losses are"):
        call(tt.tensor(arrays[0]), tt.tensor(arrays[1]), tt.ones(5))


def test_kl_div_of_a_batch() -> None:
    ours, theirs = (library.KLDivLoss(reduction="batchmean") for library in (nn, tnn))
    compare(ours, theirs, [np.log(PROBABILITIES), PROBABILITIES[::-1].copy()])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("blank", "zero_infinity"), [(0, False), (5, True)])
@pytest.mark.parametrize("form", ["padded", "joined", "one sample"])
def test_ctc(form: str, blank: int, zero_infinity: bool, reduction: str) -> None:
    """Behind a log_softmax: what PyTorch's gradient is meant for."""
    settings = {"blank": blank, "zero_infinity": zero_infinity, "reduction": reduction}
    logits, labels = normal(9, 3, 6), np.array([[1, 1, 2, 3], [4, 2, 3, 2], [2, 1, 0, 0]])
    steps, lengths = np.array([9, 8, 4]), np.array([4, 3, 2])
    if form == "joined":
        labels = np.concatenate([row[:n] for row, n in zip(labels, lengths, strict=True)])
    elif form == "one sample":
        logits, labels, steps, lengths = logits[:, 0], labels[0], steps[0], lengths[0]
    found = []
    for library in (tt, torch):
        layer = library.nn.CTCLoss(**settings)
        x = library.tensor(logits)
        x.requires_grad = True
        rest = [library.tensor(a) for a in (labels, steps, lengths)]
        loss = layer(library.nn.functional.log_softmax(x, -1), *rest)
        weights = library.tensor([1.5, -0.5, 0.25]) if loss.ndim else 2.0
        (loss * weights).sum().backward()
        found.append((repr(layer), loss.detach().numpy(), x.grad.numpy()))
    assert found[0][0] == found[1][0]
    for got, wanted in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


def test_triplets_of_any_distance() -> None:
    arrays = [normal(4, 5), LIKE, normal(4, 5, seed=6)]
    ours = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: tt.sum(tt.abs(a - b), -1)
    )
    theirs = tnn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: torch.sum(torch.abs(a - b), -1)
    )
    compare(ours, theirs, arrays)


@pytest.mark.parametrize("reduce", [None, True, False])
@pytest.mark.parametrize("size_average", [None, True, False])
@pytest.mark.parametrize("name", ["MSELoss", "KLDivLoss", "CrossEntropyLoss", "TripletMarginLoss"])
def test_the_older_names_of_reduction(
    name: str, size_average: bool | None, reduce: bool | None
) -> None:
    given = {"size_average": size_average, "reduce": reduce}
    wanted = getattr(tnn, name)(**given).reduction
    if size_average is None and reduce is None:
        assert getattr(nn, name)(**given).reduction == wanted == "mean"
        return
    with pytest.warns(UserWarning, match=f'{name}: size_average and reduce .*"{wanted}"') as caught:
        assert getattr(nn, name)(**given).reduction == wanted
    assert caught[0].filename == __file__
    x, y = tt.tensor(normal(4, 5)), tt.tensor(LIKE)
    with pytest.warns(UserWarning, match="size_average and reduce") as caught:
        got = nn.functional.mse_loss(x, y, **given)
    assert got.tolist() == nn.functional.mse_loss(x, y, reduction=wanted).tolist()


# --- Distances -------------------------------------------------------------------------------


@pytest.mark.parametrize(("dim", "eps"), [(1, 1e-8), (-1, 3.0), (0, 1e-8)])
def test_cosine_similarity(dim: int, eps: float) -> None:
    ours, theirs = (library.CosineSimilarity(dim, eps) for library in (nn, tnn))
    # What eps replaces keeps its gradient, as in PyTorch, so that differences say something else.
    compare(ours, theirs, [normal(4, 5, 2), normal(4, 5, 2, seed=1)], eps < 1)


def test_a_variance_below_eps() -> None:
    ours, theirs = (library.GaussianNLLLoss(eps=0.5) for library in (nn, tnn))
    compare(ours, theirs, [normal(4, 5), LIKE, POSITIVE], second=False)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("p", "eps"), [(2.0, 1e-6), (1.0, 0.1), (3.0, 1e-6), (float("inf"), 0.0)])
def test_pairwise_distance(p: float, eps: float, keepdim: bool) -> None:
    ours, theirs = (library.PairwiseDistance(p, eps, keepdim) for library in (nn, tnn))
    compare(ours, theirs, [normal(4, 5), normal(4, 5, seed=1)])


# --- Errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.CELU(0.0), "CELU: alpha must not be 0"),
        (lambda: nn.CELU("a"), "CELU: alpha must be a number"),
        (lambda: nn.GLU(None), "GLU: dim must be an integer"),
        (lambda: nn.GLU()(tt.ones((2, 3))), "glu: 3 elements along axis -1"),
        (lambda: nn.Hardtanh(1.0, 1.0), r"Hardtanh: min_val 1\.0 must be below"),
        (lambda: nn.RReLU(0.5, 0.1), r"RReLU: lower 0\.5 must not be above"),
        (lambda: nn.PReLU(0), "PReLU: num_parameters must be at least 1"),
        (lambda: nn.PReLU(3)(tt.ones((2, 4))), "prelu: weight must be one number, or one for each"),
        (lambda: nn.Softshrink(-1.0), "Softshrink: lambd must be at least 0"),
        (lambda: nn.Softmax2d()(tt.ones((2, 3))), r"Softmax2d: input must be \(N, C, H, W\)"),
        (lambda: nn.Threshold("a", 0), "Threshold: threshold must be a number"),
        (lambda: nn.HuberLoss(delta=0.0), "HuberLoss: delta must be positive"),
        (lambda: nn.KLDivLoss("batch"), "KLDivLoss: reduction is 'none', 'mean', 'sum' or 'batchm"),
        (lambda: nn.MSELoss("batchmean"), "MSELoss: reduction is 'none', 'mean' or 'sum', not 'ba"),
        (lambda: nn.MultiMarginLoss(p=3), "MultiMarginLoss: p must be 1 or 2"),
        (lambda: nn.MultiMarginLoss(weight=tt.ones((2, 2))), "MultiMarginLoss: weight must be"),
        (lambda: nn.TripletMarginLoss(margin=0), "TripletMarginLoss: margin must be positive"),
        (lambda: nn.CosineSimilarity(eps=-1), "CosineSimilarity: eps must be at least 0"),
        (
            lambda: nn.CosineEmbeddingLoss()(tt.ones((2, 3)), tt.ones((2, 3)), tt.ones(3)),
            r"cosine_embedding_loss: needs \(N, D\)",
        ),
        (
            lambda: nn.GaussianNLLLoss()(tt.ones(2), tt.ones(2), -tt.ones(2)),
            "gaussian_nll_loss: var must not be negative",
        ),
    ],
)  # fmt: skip
def test_errors(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        make()
