"""nn.utils beside PyTorch's: computed weights, batch norm folded away, sequences, clipping."""

import copy
import pickle

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.nn.utils.parametrize import register_parametrization as register

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated")

RNG = np.random.default_rng(0)


def pair(make, x_shape, seed=0):
    """A layer of ours and one of PyTorch's with the same values, and an input of both."""
    torch.manual_seed(seed)
    b = make(torch.nn)
    a = make(tt.nn)
    a.load_state_dict({key: tt.tensor(value.numpy()) for key, value in b.state_dict().items()})
    x = np.random.default_rng(seed).normal(size=x_shape).astype(np.float32)
    return a, b, tt.tensor(x), torch.tensor(x)


def exchanged(a, b):
    """Give a the state of b, whose keys and shapes it has."""
    theirs = {key: tt.tensor(value.detach().numpy()) for key, value in b.state_dict().items()}
    mine = a.state_dict()
    assert list(mine) == list(theirs)
    assert [value.shape for value in mine.values()] == [v.shape for v in theirs.values()]
    a.load_state_dict(theirs)


def assert_same(a, b, x, y, rtol=1e-4, atol=1e-5):
    """Values, gradients, and all of the state behind them."""
    a.zero_grad()
    b.zero_grad()
    out, expected = a(x), b(y)
    np.testing.assert_allclose(out.numpy(), expected.detach().numpy(), rtol=rtol, atol=atol)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    others = dict(b.named_parameters())
    assert list(dict(a.named_parameters())) == list(others)
    for name, p in a.named_parameters():
        if others[name].grad is None:
            assert p.grad is None
            continue
        wanted = others[name].grad.numpy()
        scale = max(1, np.abs(wanted).max())
        np.testing.assert_allclose(p.grad.numpy(), wanted, rtol=rtol, atol=atol * scale)
    for key, value in b.state_dict().items():
        np.testing.assert_allclose(a.state_dict()[key].numpy(), value.numpy(), rtol, atol)


LAYERS = {
    "Linear": (lambda nn: nn.Linear(4, 3), (5, 4)),
    "Conv2d": (lambda nn: nn.Conv2d(2, 3, 3), (2, 2, 5, 5)),
    "Conv1d": (lambda nn: nn.Conv1d(4, 6, 3, groups=2, bias=False), (2, 4, 7)),
    "ConvTranspose2d": (lambda nn: nn.ConvTranspose2d(3, 2, 2), (1, 3, 4, 4)),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("older", [False, True])
def test_weight_norm(layer, dim, older):
    a, b, x, y = pair(*LAYERS[layer])
    home = "nn.utils" if older else "nn.utils.parametrizations"
    for lib, module in ((tt, a), (torch, b)):
        place = lib
        for part in home.split("."):
            place = getattr(place, part)
        assert place.weight_norm(module, "weight", dim) is module
    for key, value in b.state_dict().items():  # made alike
        np.testing.assert_allclose(a.state_dict()[key].numpy(), value.numpy(), rtol=1e-5)
    for p in b.parameters():
        p.data += 0.1 * torch.randn_like(p)
    exchanged(a, b)
    assert_same(a, b, x, y)
    if older:
        new = tt.nn.utils.parametrizations.weight_norm(LAYERS[layer][0](tt.nn), dim=dim)
        new.load_state_dict(a.state_dict())
        np.testing.assert_allclose(new(x).numpy(), a(x).numpy(), rtol=1e-5)
        tt.nn.utils.remove_weight_norm(a)
        torch.nn.utils.remove_weight_norm(b)
    else:
        tt.nn.utils.parametrize.remove_parametrizations(a, "weight")
        torch.nn.utils.parametrize.remove_parametrizations(b, "weight")
    assert set(a.state_dict()) == set(b.state_dict())
    for key, value in b.state_dict().items():
        np.testing.assert_allclose(a.state_dict()[key].numpy(), value.numpy(), rtol=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("options", [{}, {"dim": 1, "n_power_iterations": 3}], ids=str)
@pytest.mark.parametrize("older", [False, True])
def test_spectral_norm(layer, options, older):
    a, b, x, y = pair(*LAYERS[layer])
    for lib, module in ((tt, a), (torch, b)):
        home = lib.nn.utils if older else lib.nn.utils.parametrizations
        assert home.spectral_norm(module, **options) is module
    exchanged(a, b)
    for _ in range(3):
        assert_same(a, b, x, y)
    a.eval()
    b.eval()
    assert_same(a, b, x, y)
    if older:
        tt.nn.utils.remove_spectral_norm(a)
        torch.nn.utils.remove_spectral_norm(b)
    else:
        tt.nn.utils.parametrize.remove_parametrizations(a, "weight")
        torch.nn.utils.parametrize.remove_parametrizations(b, "weight")
    assert set(a.state_dict()) == set(b.state_dict())
    np.testing.assert_allclose(a.weight.numpy(), b.weight.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("by", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("trivialized", [True, False])
def test_orthogonal(shape, by, trivialized):
    a, b, x, y = pair(lambda nn: nn.Linear(shape[1], shape[0]), (2, shape[1]))
    for lib, module in ((tt, a), (torch, b)):
        home = lib.nn.utils.parametrizations
        home.orthogonal(module, "weight", by, use_trivialization=trivialized)
    weight = a.weight.numpy()
    product = weight @ weight.T if shape[0] <= shape[1] else weight.T @ weight
    np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-5)
    exchanged(a, b)
    assert_same(a, b, x, y, rtol=1e-3, atol=1e-4)
    q = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0].astype(np.float32)
    q = q[: shape[0], : shape[1]]
    q = np.linalg.qr(q if shape[0] >= shape[1] else q.T)[0]
    q = q if shape[0] >= shape[1] else q.T
    if trivialized or by == "householder" or (by is None and shape != (4, 4)):
        a.weight = tt.tensor(np.ascontiguousarray(q))
        np.testing.assert_allclose(a.weight.numpy(), q, atol=1e-5)
    else:
        with pytest.raises(NotImplementedError, match="cannot be assigned"):
            a.weight = tt.tensor(np.ascontiguousarray(q))


def symmetric(lib):
    class Symmetric(lib.nn.Module):
        def forward(self, x):
            return x.tril() + x.tril(-1).mT

        def right_inverse(self, x):
            return x.tril()

    return Symmetric()


def scaled(lib):
    class Scaled(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = lib.nn.Parameter(lib.tensor(2.0))

        def forward(self, x):
            return x * self.scale

        def right_inverse(self, x):
            return x / self.scale

    return Scaled()


def test_parametrize():
    a, b, x, y = pair(lambda nn: nn.Linear(3, 3), (2, 3))
    kinds = type(a), type(b)
    for lib, module in ((tt, a), (torch, b)):
        p = lib.nn.utils.parametrize
        assert not p.is_parametrized(module)
        p.register_parametrization(module, "weight", symmetric(lib))
        p.register_parametrization(module, "weight", scaled(lib))
        p.register_parametrization(module, "bias", scaled(lib))
        assert p.is_parametrized(module)
        assert p.is_parametrized(module, "bias")
        assert not p.is_parametrized(module, "other")
        assert len(module.parametrizations.weight) == 2
        assert type(module).__name__ == "ParametrizedLinear"
        assert p.type_before_parametrizations(module) in kinds
        assert isinstance(module, lib.nn.Linear)
    exchanged(a, b)
    assert_same(a, b, x, y)
    value = np.arange(9, dtype=np.float32).reshape(3, 3)
    value = value + value.T
    a.weight = tt.tensor(value)
    with torch.no_grad():
        b.weight = torch.tensor(value)
    assert_same(a, b, x, y)
    twin = copy.deepcopy(a)
    assert type(twin).__name__ == "ParametrizedLinear"
    np.testing.assert_array_equal(twin(x).numpy(), a(x).numpy())
    with tt.no_grad():
        twin.bias = twin.bias + 1
    assert (twin(x).numpy() != a(x).numpy()).all()
    normed = tt.nn.utils.parametrizations.weight_norm(tt.nn.Linear(3, 2))
    again = pickle.loads(pickle.dumps(normed))
    np.testing.assert_array_equal(again(x).numpy(), normed(x).numpy())
    with tt.nn.utils.parametrize.cached():
        assert a.weight is a.weight
    assert a.weight is not a.weight
    others = tt.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    for lib, module, to in ((tt, a, others[0]), (torch, b, others[1])):
        lib.nn.utils.parametrize.transfer_parametrizations_and_params(module, to, "weight")
    assert list(others[0].state_dict()) == list(others[1].state_dict())
    np.testing.assert_allclose(
        others[0].weight.numpy(), others[1].weight.detach().numpy(), rtol=1e-5
    )
    for lib, module in ((tt, a), (torch, b)):
        p = lib.nn.utils.parametrize
        p.remove_parametrizations(module, "weight")
        p.remove_parametrizations(module, "bias", leave_parametrized=False)
        assert type(module) in kinds
    assert sorted(a.state_dict()) == sorted(b.state_dict())
    assert_same(a, b, x, y) if list(a.state_dict()) == list(b.state_dict()) else None
    for key, value in b.state_dict().items():
        np.testing.assert_allclose(a.state_dict()[key].numpy(), value.numpy(), rtol=1e-5)


def test_a_parametrized_buffer_and_what_is_refused():
    layer = tt.nn.BatchNorm1d(3)
    register(layer, "running_mean", scaled(tt))
    assert "parametrizations.running_mean.original" in layer.state_dict()
    tt.nn.utils.parametrize.remove_parametrizations(layer, "running_mean")
    assert [name for name, _ in layer.named_buffers()][-1] == "running_mean"

    class Flat(tt.nn.Module):
        def forward(self, x):
            return x.flatten()

    linear = tt.nn.Linear(2, 2)
    before = linear.state_dict()
    with pytest.raises(tt.ShapeError, match=r"weight: a parametrization returned \(4,\)"):
        register(linear, "weight", Flat())
    with pytest.raises(ValueError, match="other: Linear has no such parameter or buffer"):
        register(linear, "other", Flat())
    with pytest.raises(ValueError, match="weight of Linear is not parametrized"):
        tt.nn.utils.parametrize.remove_parametrizations(linear, "weight")
    assert {key: value.tolist() for key, value in linear.state_dict().items()} == {
        key: value.tolist() for key, value in before.items()
    }
    register(linear, "weight", Flat(), unsafe=True)
    assert linear.weight.shape == (4,)
    with pytest.raises(RuntimeError, match="Flat has no right_inverse"):
        linear.weight = tt.ones(4)

    class Lost(tt.nn.Module):
        def forward(self, x):
            return x * self.what

    lost = register(tt.nn.Linear(2, 2), "weight", Lost(), unsafe=True)
    with pytest.raises(RuntimeError, match=r"weight: its parametrization failed: .*'what'"):
        lost.weight  # noqa: B018
    normed = tt.nn.utils.parametrizations.weight_norm(tt.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="is computed from 2 tensors"):
        tt.nn.utils.parametrize.remove_parametrizations(normed, "weight", False)
    for make in (tt.nn.utils.weight_norm, tt.nn.utils.spectral_norm):
        with pytest.raises(RuntimeError, match="has one already"):
            make(make(tt.nn.Linear(2, 2)))
        with pytest.raises(ValueError, match="no parameter or buffer 'other'"):
            make(tt.nn.Linear(2, 2), "other")
    for remove in (tt.nn.utils.remove_weight_norm, tt.nn.utils.remove_spectral_norm):
        with pytest.raises(ValueError, match="weight of Linear has none"):
            remove(tt.nn.Linear(2, 2))


# --- Batch norm folded away ----------------------------------------------------------------------

FUSED = {
    "Conv1d": (lambda nn: (nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)), (2, 2, 6), False),
    "Conv2d": (lambda nn: (nn.Conv2d(2, 4, 3, groups=2, bias=False), nn.BatchNorm2d(4)),
               (2, 2, 6, 6), False),
    "no weights": (lambda nn: (nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, affine=False)),
                   (2, 2, 6, 6), False),
    "Conv3d": (lambda nn: (nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3)), (2, 2, 3, 3, 3), False),
    "ConvTranspose2d": (lambda nn: (nn.ConvTranspose2d(3, 4, 2), nn.BatchNorm2d(4)),
                        (2, 3, 3, 3), True),
    "Linear": (lambda nn: (nn.Linear(3, 4), nn.BatchNorm1d(4)), (5, 3), None),
    "Linear without bias": (lambda nn: (nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4)),
                            (5, 3), None),
}  # fmt: skip


@pytest.mark.parametrize("name", FUSED)
def test_fused(name):
    make, shape, transposed = FUSED[name]
    a, b, x, y = pair(lambda nn: nn.Sequential(*make(nn)), shape)
    for _ in range(2):
        a(x), b(y)
    a.eval(), b.eval()
    fused = []
    for lib, pair_of in ((tt, a), (torch, b)):
        utils = lib.nn.utils
        if transposed is None:
            home = utils if lib is tt else torch.nn.utils.fusion
            fused.append(home.fuse_linear_bn_eval(pair_of[0], pair_of[1]))
        else:
            home = utils if lib is tt else torch.nn.utils.fusion
            fused.append(home.fuse_conv_bn_eval(pair_of[0], pair_of[1], transposed))
    np.testing.assert_allclose(fused[0](x).numpy(), a(x).numpy(), rtol=1e-4, atol=1e-5)
    for key, value in fused[1].state_dict().items():
        np.testing.assert_allclose(fused[0].state_dict()[key].numpy(), value.numpy(), 1e-4, 1e-5)


def test_a_transposed_convolution_in_groups_is_fused():
    """Which PyTorch's does not."""
    conv = tt.nn.ConvTranspose2d(4, 6, 2, groups=2).eval()
    bn = tt.nn.BatchNorm2d(6)
    x = tt.tensor(RNG.normal(size=(3, 4, 5, 5)).astype(np.float32))
    bn(conv(x))
    bn.eval()
    fused = tt.nn.utils.fuse_conv_bn_eval(conv, bn, transpose=True)
    np.testing.assert_allclose(fused(x).numpy(), bn(conv(x)).numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="both layers must be in evaluation"):
        tt.nn.utils.fuse_conv_bn_eval(tt.nn.Conv2d(1, 1, 1), tt.nn.BatchNorm2d(1))
    with pytest.raises(TypeError, match="needs a Conv layer and a batch norm, not Linear"):
        tt.nn.utils.fuse_conv_bn_eval(tt.nn.Linear(1, 1), tt.nn.BatchNorm2d(1))
    with pytest.raises(tt.ShapeError, match="batch norm of 3 channels behind a layer of 2"):
        tt.nn.utils.fuse_conv_bn_eval(tt.nn.Conv2d(1, 2, 1).eval(), tt.nn.BatchNorm2d(3).eval())
    with pytest.raises(ValueError, match="no running statistics"):
        tt.nn.utils.fuse_conv_bn_eval(
            tt.nn.Conv2d(1, 2, 1).eval(), tt.nn.BatchNorm2d(2, track_running_stats=False).eval()
        )


# --- Sequences, clipping, skip_init --------------------------------------------------------------


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_sequences(side, batch_first):
    arrays = [RNG.normal(size=(n, 2)).astype(np.float32) for n in (3, 5, 1)]
    ours, theirs = [tt.tensor(a) for a in arrays], [torch.tensor(a) for a in arrays]
    utils = tt.nn.utils.rnn, torch.nn.utils.rnn
    a, b = (
        u.pad_sequence(s, batch_first, -1.0, side)
        for u, s in zip(utils, (ours, theirs), strict=True)
    )
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    lengths = [3, 5, 1]
    cut = utils[0].unpad_sequence(a, lengths, batch_first)
    expected = utils[1].unpad_sequence(b, torch.tensor(lengths), batch_first)
    for each, wanted in zip(cut, expected, strict=True):
        np.testing.assert_array_equal(each.numpy(), wanted.numpy())
    p, q = (u.pack_sequence(s, False) for u, s in zip(utils, (ours, theirs), strict=True))
    np.testing.assert_array_equal(p.data.numpy(), q.data.numpy())
    np.testing.assert_array_equal(p.batch_sizes, q.batch_sizes.numpy())
    for each, wanted in zip(utils[0].unpack_sequence(p), arrays, strict=True):
        np.testing.assert_array_equal(each.numpy(), wanted)
    with pytest.raises(ValueError, match="padding_side is 'up'"):
        utils[0].pad_sequence(ours, padding_side="up")
    with pytest.raises(ValueError, match="lengths must be in 0 … 5"):
        utils[0].unpad_sequence(a, [3, 6, 1], batch_first)
    with pytest.raises(ValueError, match="lengths must not grow"):
        utils[0].pack_sequence(ours)


@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clipping_with_a_norm(max_norm):
    grads = [RNG.normal(size=shape).astype(np.float32) for shape in ((3, 2), (4,))]
    ours = [tt.nn.Parameter(tt.zeros(g.shape)) for g in grads]
    theirs = [torch.nn.Parameter(torch.zeros(g.shape)) for g in grads]
    for p, q, g in zip(ours, theirs, grads, strict=True):
        p.grad, q.grad = tt.tensor(g), torch.tensor(g)
    for utils, params in ((tt.nn.utils, ours), (torch.nn.utils, theirs)):
        total = utils.get_total_norm([p.grad for p in params], foreach=False)
        utils.clip_grads_with_norm_(params, max_norm, total, foreach=False)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)


def test_skip_init_draws_nothing():
    tt.manual_seed(3)
    expected = tt.rand(2).tolist()
    tt.manual_seed(3)
    layer = tt.nn.utils.skip_init(tt.nn.Conv2d, 1, 2, 3, bias=False)
    assert layer.weight.shape == (2, 1, 3, 3)
    assert tt.rand(2).tolist() == expected
    with pytest.raises(TypeError, match="needs a class of modules"):
        tt.nn.utils.skip_init(tt.relu)
