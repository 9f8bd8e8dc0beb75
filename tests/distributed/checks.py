"""What every rank of a run checks: `mpiexec -n 2 python -m tests.distributed.checks`.

One run makes all checks, as each process needs time to start. A check that fails on one rank ends
the run on all, with that rank's traceback.
"""

from __future__ import annotations

import copy
import sys
import time
from importlib.util import find_spec

import numpy as np

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn
from tinytensor.errors import DtypeError, ShapeError

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def raises(kind, message, function, *args, **kwargs):
    """The error that the call raises on this rank; it must say ``message``."""
    try:
        function(*args, **kwargs)
    except kind as error:
        told = str(error)
    else:
        told = "nothing was raised"
    if message not in told:
        raise AssertionError(f"{told!r} does not say {message!r}")
    return told


def own(shape, dtype=np.float64, rank=None):
    """Numbers that differ from rank to rank."""
    rng = np.random.default_rng(dist.rank() if rank is None else rank)
    return (rng.normal(size=shape) * 3).astype(dtype)


def everybody(shape, dtype=np.float64):
    return np.stack([own(shape, dtype, rank) for rank in range(dist.size())])


def equal(got, wanted):
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-12, atol=1e-12)


# --- Collectives -----------------------------------------------------------------------------


@check
def reductions_of_every_dtype():
    size = dist.size()
    for dtype in ("float32", "float64", "int8", "int32", "int64", "uint8", "uint16", "complex64"):
        x = tt.full((2, 3), dist.rank() + 1).astype(dtype)
        assert dist.all_reduce(x) is x
        assert x.dtype == dtype
        equal(x, np.full((2, 3), size * (size + 1) / 2))
    for dtype in (tt.float16, tt.bfloat16):
        x = tt.tensor([2.0**-8 if dist.rank() else 1.0]).astype(dtype)
        dist.all_reduce(x)
        wanted = np.float32(1 + (size - 1) * 2.0**-8).astype(dtype)  # rounded once
        assert x.dtype == dtype
        assert x.numpy()[0] == wanted
    ours = tt.tensor([dist.rank() == 0, True, False])
    assert dist.all_reduce(tt.tensor(ours.numpy().copy()), "and").tolist() == [False, True, False]
    assert dist.all_reduce(tt.tensor(ours.numpy().copy()), "max").tolist() == [True, True, False]
    assert dist.all_reduce(ours, "xor").tolist() == [True, size % 2 == 1, False]


@check
def reductions_of_every_kind():
    every = everybody((3, 4))
    for op, wanted in {
        "sum": every.sum(0),
        "mean": every.mean(0),
        "product": every.prod(0),
        "max": every.max(0),
        "min": every.min(0),
    }.items():
        equal(dist.all_reduce(tt.tensor(own((3, 4))), op), wanted)
        x = tt.tensor(own((3, 4)))
        equal(dist.reduce(x, dist.size() - 1, op), wanted if is_last() else own((3, 4)))
    bits = np.array([1 << dist.rank(), 7])
    assert dist.all_reduce(bits.copy(), "or").tolist() == [(1 << dist.size()) - 1, 7]
    x = tt.tensor([np.nan if dist.rank() == 0 else 1.0, dist.rank(), -np.inf])
    np.testing.assert_array_equal(
        dist.all_reduce(x, "max").numpy(), [np.nan, dist.size() - 1, -np.inf]
    )


def is_last():
    return dist.rank() == dist.size() - 1


@check
def any_layout():
    every = everybody((4, 6))
    for view in (
        lambda a: a.T,
        lambda a: a[::2, 1::3],
        lambda a: a[1],
        lambda a: a[:, :0],
        lambda a: a[0, 0],
        np.asfortranarray,
    ):
        whole = tt.tensor(own((4, 6)))
        part = tt.Tensor(np.asarray(view(whole.numpy())))
        equal(dist.all_reduce(part), np.sum([view(one) for one in every], 0))
        part = tt.Tensor(np.asarray(view(own((4, 6)))))
        equal(dist.broadcast(part, dist.size() - 1), view(every[-1]))
        gathered = dist.all_gather(tt.Tensor(np.asarray(view(own((4, 6))))))
        equal(gathered, np.stack([view(one) for one in every]))
    into = np.zeros((4, 6, dist.size())).transpose(2, 0, 1)
    assert dist.all_gather(own((4, 6)), out=into) is into
    equal(into, every)


@check
def data_that_move():
    rank, size = dist.rank(), dist.size()
    every = everybody((size, 2))
    equal(dist.reduce_scatter(tt.tensor(own((size, 2)))), every.sum(0)[rank])
    equal(dist.reduce_scatter(tt.tensor(own((size, 2))), "mean"), every.mean(0)[rank])
    equal(dist.all_to_all(tt.tensor(own((size, 2)))), every[:, rank])
    got = dist.gather(tt.tensor(own((size, 2))), size - 1)
    assert (got is None) == (not is_last())
    if is_last():
        equal(got, every)
    given = tt.arange(2 * size).reshape(size, 2) if rank == 0 else None
    got = dist.scatter(given)
    assert got.tolist() == [2 * rank, 2 * rank + 1]
    assert got.dtype == tt.arange(2).dtype
    x = tt.tensor([rank * 1.0]).astype(tt.bfloat16)
    assert [float(one) for one in dist.all_gather(x).reshape(-1)] == [*range(size)]
    following, preceding = (rank + 1) % size, (rank - 1) % size
    if rank == 0:
        dist.send(tt.tensor(own((2, 3))), following, tag=5)
    got = dist.recv(preceding, tag=5)
    equal(got, everybody((2, 3))[0])
    if rank > 0:
        dist.send(got, following, tag=5)
    if rank == 0:
        dist.send(tt.ones(3), 1)
    elif rank == 1:
        raises(ShapeError, "recv from rank 0: out is (4,)", dist.recv, 0, out=tt.zeros(4))


@check
def objects():
    rank, size = dist.rank(), dist.size()
    assert dist.all_gather_object({"rank": "r" * rank}) == [{"rank": "r" * r} for r in range(size)]
    assert dist.broadcast_object([rank], size - 1) == [size - 1]
    got = dist.gather_object(rank)
    assert got == ([*range(size)] if rank == 0 else None)


@check
def what_runs_meanwhile():
    works = [
        dist.all_reduce(tt.full((5,), float(i + dist.rank())), asynchronous=True) for i in range(4)
    ]
    gathered = dist.all_gather(tt.tensor(float(dist.rank())), asynchronous=True)
    assert gathered.wait().tolist() == [*range(dist.size())]
    ranks = sum(range(dist.size()))
    for i, work in reversed([*enumerate(works)]):
        assert work.wait().tolist() == [i * dist.size() + ranks] * 5
        assert work.done()


@check
def groups():
    rank, size = dist.rank(), dist.size()
    group = dist.split(rank % 2, key=-rank)
    members = [r for r in reversed(range(size)) if r % 2 == rank % 2]
    assert (group.size, group.rank) == (len(members), members.index(rank))
    assert dist.all_reduce(tt.tensor(float(rank)), group=group).item() == sum(members)
    assert dist.broadcast(tt.tensor(rank), 0, group=group).item() == members[0]
    assert dist.all_gather_object(rank, group=group) == members
    layer = copy.deepcopy(nn.SyncBatchNorm(2, process_group=group))
    assert layer.process_group is group
    raises(TypeError, "Group: it belongs to this run's ranks", dist.all_gather_object, group)
    some = dist.split(0 if rank == 0 else None)
    assert (some is None) == (rank > 0)


@check
def communicators_are_given_back():
    """MPICH has 2,048; what is gone on some ranks alone is kept."""
    counts = []
    kept = [parallel(nn.Linear(2, 2))]
    if dist.rank() == 0:
        kept.clear()
    for _ in range(4):
        for half in (dist.rank() % 2, None if dist.rank() else 0):
            group = dist.split(half)
            assert group is None or dist.all_reduce(tt.ones(1), group=group).item() == group.size
        model = parallel(nn.Linear(2, 2))
        model(tt.ones(1, 2)).sum().backward()
        del group, model
        counts.append(len(dist.world.world()._kept))
    assert counts[1:] == counts[1:2] * 3, counts
    assert len(kept) == (dist.rank() > 0)


@check
def ranks_that_differ_are_told_everywhere():
    rank = dist.rank()
    told = raises(ShapeError, "all_reduce: the ranks differ", dist.all_reduce, tt.ones(3 + rank))
    assert "rank 0: all_reduce float32 (3,) op='sum'" in told
    assert "rank 1: all_reduce float32 (4,) op='sum'" in told
    x = tt.ones(3).astype("float64" if rank == 0 else "float32")
    raises(DtypeError, "broadcast: the ranks differ", dist.broadcast, x)
    raises(RuntimeError, "the ranks differ", dist.all_reduce, tt.ones(3), "max" if rank else "min")
    call = dist.barrier if rank == 0 else lambda: dist.all_gather(tt.ones(3))
    raises(RuntimeError, "rank 0: barrier", call)
    work = dist.all_reduce(tt.ones(3 + rank), asynchronous=True)
    fine = dist.all_reduce(tt.ones(3), asynchronous=True)
    raises(ShapeError, "all_reduce", work.wait)
    assert fine.wait().tolist() == [dist.size()] * 3


@check
def bad_arguments():
    raises(ValueError, "all_reduce: op is 'avg'", dist.all_reduce, tt.ones(3), "avg")
    raises(
        DtypeError, "all_reduce: there is no 'mean' of int", dist.all_reduce, tt.arange(3), "mean"
    )
    raises(DtypeError, "no 'sum' of bool", dist.all_reduce, tt.tensor([True]))
    raises(DtypeError, "no 'max' of complex64", dist.all_reduce, tt.ones(3) * 1j, "max")
    raises(TypeError, "broadcast: tensor is a list", dist.broadcast, [1.0])
    raises(TypeError, "barrier: group is an int", dist.barrier, group=1)
    raises(ValueError, "broadcast: source is 9", dist.broadcast, tt.ones(3), 9)
    raises(ShapeError, "reduce_scatter: tensor is (9,)", dist.reduce_scatter, tt.ones(9))
    raises(ShapeError, "all_gather: out is (3,)", dist.all_gather, tt.ones(3), out=tt.ones(3))
    raises(RuntimeError, "this process is a rank already", dist.init, timeout=3)
    raises(ValueError, "read-only", dist.all_reduce, np.broadcast_to(1.0, (3,)))


@check
def what_cannot_travel_is_refused_and_harms_no_later_call():
    raises(DtypeError, "broadcast: arrays of objects", dist.broadcast, np.array([{}], object))
    raises(DtypeError, "no 'sum' of >f4", dist.all_reduce, np.ones(3, ">f4"))
    raises(DtypeError, "no 'product' of <U1", dist.all_reduce, np.array(["a"]), "product")

    def faulty():
        raise KeyError("where MPI is called")

    call = type(dist.barrier(asynchronous=True).call)("a call of our own")
    for how in ({"start": faulty}, {"finish": faulty}):
        raises(KeyError, "where MPI is called", dist.Work(dist.world.world(), call, **how).wait)
    dist.barrier()


@check
def results_may_overwrite_what_is_sent():
    size = dist.size()
    for place in (0, size - 1):
        x = tt.tensor(own((size, 2)))
        equal(dist.all_gather(x[place], out=x), everybody((size, 2))[:, place])
    x = tt.tensor(own((size, 2)))
    equal(dist.all_to_all(x, out=x), everybody((size, 2))[:, dist.rank()])
    x = tt.tensor(own((size, 2)))
    equal(dist.reduce_scatter(x, out=x[0]), everybody((size, 2)).sum(0)[dist.rank()])


@check
def changes_in_place_are_noticed():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    raises(RuntimeError, "an op made this tensor", dist.all_reduce, x * 2)
    w = tt.tensor([3.0, 4.0])
    y = (x * w).sum()
    dist.all_reduce(w)
    raises(tt.GraphError, "changed in place by all_reduce", y.backward)
    dist.broadcast(x)  # a leaf, as parameters are


@check
def collectives_with_gradients():
    """Of a quadratic loss on each rank: the derivative of their sum, and that of its square."""
    fn, rank, size = dist.functional, dist.rank(), dist.size()
    xs, weights = everybody((size, 2)), np.arange(1, size + 1)

    def there(name, xs):
        """What each rank gets, of all their tensors (rank, …)."""
        return {
            "all_reduce": lambda: tt.stack([xs.sum(0)] * size),
            "mean": lambda: tt.stack([xs.mean(0)] * size),
            "all_gather": lambda: tt.stack([xs] * size),
            "reduce_scatter": lambda: xs.sum(0),
            "all_to_all": lambda: xs.transpose(0, 1),
            "broadcast": lambda: tt.stack([xs[size - 1]] * size),
        }[name]()

    calls = {
        "all_reduce": fn.all_reduce,
        "mean": lambda x: fn.all_reduce(x, op="mean"),
        "all_gather": fn.all_gather,
        "reduce_scatter": fn.reduce_scatter,
        "all_to_all": fn.all_to_all,
        "broadcast": lambda x: fn.broadcast(x, source=size - 1),
    }
    for name, call in calls.items():
        whole = tt.tensor(xs, requires_grad=True)
        outs = there(name, whole)
        losses = sum((out**3).sum() * float(w) for out, w in zip(outs, weights, strict=True))
        (first,) = tt.grad(losses, [whole], create_graph=True)
        (second,) = tt.grad((first**2).sum(), [whole])
        x = tt.tensor(xs[rank], requires_grad=True)
        out = call(x)
        equal(out.detach(), outs[rank].detach())
        (own_first,) = tt.grad((out**3).sum() * float(weights[rank]), [x], create_graph=True)
        equal(own_first.detach(), first[rank].detach())
        equal(tt.grad((own_first**2).sum(), [x])[0], second[rank])
    raises(ValueError, "all_reduce: op is 'max'", fn.all_reduce, tt.ones(2), op="max")


# --- DistributedDataParallel -----------------------------------------------------------------


def data(rows=3, width=6, outs=3):
    """A batch for each rank."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(dist.size(), rows, width))
    return x, rng.normal(size=(dist.size(), rows, outs))


def mlp(seed=0):
    tt.manual_seed(seed)
    layers = (nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    return nn.Sequential(*layers).double()


def squares(model, x, y):
    return ((model(tt.tensor(x)) - tt.tensor(y)) ** 2).mean()


def parallel(model, **options):
    return dist.DistributedDataParallel(model, bucket_bytes=300, first_bucket_bytes=100, **options)


def same_everywhere(tensors):
    """The same bits on all ranks."""
    for tensor in tensors:
        for other in dist.all_gather_object(np.asarray(tensor).tobytes()):
            assert other == np.asarray(tensor).tobytes()


def gradients(model):
    return [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]


def equal_gradients(model, reference):
    for got, wanted in zip(gradients(model), gradients(reference), strict=True):
        if wanted is None:
            assert got is None
        else:
            np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
    same_everywhere([grad for grad in gradients(model) if grad is not None])


@check
def trains_as_one_process_with_the_joined_batch():
    xs, ys = data()
    reference, model = mlp(), parallel(mlp(dist.rank()))  # which gets the parameters of rank 0
    one, many = (tt.optim.SGD(m.parameters(), lr=0.1, momentum=0.9) for m in (reference, model))
    for _ in range(4):
        whole = squares(reference, xs.reshape(-1, 6), ys.reshape(-1, 3))
        loss = squares(model, xs[dist.rank()], ys[dist.rank()])
        equal(dist.all_reduce(loss.detach(), "mean"), whole.item())
        for optimizer, value in ((one, whole), (many, loss)):
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        equal_gradients(model, reference)
        same_everywhere(model.parameters())
    assert all(p.node is None for p in model.parameters())
    assert list(model.state_dict()) == list(reference.state_dict())
    model.load_state_dict({f"module.{name}": t for name, t in reference.state_dict().items()})


@check
def buckets_leave_before_the_end_and_hold_the_gradients():
    xs, ys = data()
    model = parallel(mlp())
    reducer = model._reducer
    for step in range(3):
        left, launch = [], reducer.launch

        def noted(left=left, launch=launch):
            launch()
            left.append((reducer.launched, len(reducer.ready)))

        reducer.launch = noted
        model.zero_grad()
        squares(model, xs[dist.rank()], ys[dist.rank()]).backward()
        del reducer.launch
        if step:  # the first pass finds the order
            assert [i for b in reducer.buckets for i in b.members] == [4, 5, 2, 3, 0, 1]
            assert reducer.depths[4] > reducer.depths[2] > reducer.depths[0]
            assert (1, 1) in left, left  # the first bucket leaves when its gradient has come
            for p in model.parameters():
                assert any(np.shares_memory(p.grad.numpy(), b.flat) for b in reducer.buckets)


@check
def gradients_are_added_up_without_being_reduced():
    xs, ys = data(rows=6)
    reference, model = mlp(), parallel(mlp())
    rank = dist.rank()
    for views_kept in (False, True):
        reference.zero_grad()
        model.zero_grad(set_to_none=not views_kept)
        for part in (slice(0, 2), slice(2, 4)):
            with model.no_sync():
                squares(model, xs[rank, part], ys[rank, part]).backward()
        squares(model, xs[rank, 4:], ys[rank, 4:]).backward()
        for part in (slice(0, 2), slice(2, 4), slice(4, 6)):
            x, y = xs[:, part].reshape(-1, 6), ys[:, part].reshape(-1, 3)
            squares(reference, x, y).backward()
        equal_gradients(model, reference)
    squares(reference, xs[:, :2].reshape(-1, 6), ys[:, :2].reshape(-1, 3)).backward()
    squares(model, xs[rank, :2], ys[rank, :2]).backward()  # on top of what is averaged already
    equal_gradients(model, reference)


class Branches(nn.Module):
    """Layers of which a call uses some, one of them never."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 3) for _ in range(4)])

    def forward(self, x, which):
        return sum(self.layers[i](x) for i in which)


@check
def parameters_that_are_not_used():
    xs, ys = data()
    uses = [
        [[0]] * dist.size(),
        [[r % 2] for r in range(dist.size())],
        [[0, 1, 2]] * dist.size(),
        [[2] if r else [1] for r in range(dist.size())],
    ]
    for options in ({}, {"find_unused_parameters": True}, {"gradient_as_bucket_view": False}):
        tt.manual_seed(0)
        reference = Branches().double()
        model = parallel(Branches().double(), **options)
        model.load_state_dict(reference.state_dict())
        for use in uses:
            reference.zero_grad()
            model.zero_grad()
            for r in range(dist.size()):
                out = reference(tt.tensor(xs[r]), use[r])
                (((out - tt.tensor(ys[r])) ** 2).mean() / dist.size()).backward()
            out = model(tt.tensor(xs[dist.rank()]), use[dist.rank()])
            ((out - tt.tensor(ys[dist.rank()])) ** 2).mean().backward()
            equal_gradients(model, reference)


class Tied(nn.Module):
    """A weight that is used twice, once transposed, and one behind a function of weights alone."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(tt.zeros(6, 6))
        self.scale = nn.Parameter(tt.zeros(6))
        nn.init.normal_(self.weight)
        nn.init.normal_(self.scale)

    def forward(self, x):
        return ((x @ self.weight).tanh() @ (self.weight.T * self.scale.exp()))[:, :3]


@check
def parameters_that_are_used_in_several_ways():
    xs, ys = data()
    rank, size = dist.rank(), dist.size()
    tt.manual_seed(0)
    reference = Tied().double()
    model = parallel(Tied().double())
    model.load_state_dict(reference.state_dict())

    def two_forwards(m, x, y):
        return squares(m, x, y) + squares(m, x * 2, y)

    def penalty(m, x, y):
        weights = m.module if m is model else m
        return squares(m, x, y) + (weights.scale**2).sum() * x.mean()

    def without(m, x, y):
        """Parameters outside of forward alone."""
        return (next(iter(m.parameters())) * x.mean()).sum()

    for loss in (squares, two_forwards, penalty, squares, without):
        reference.zero_grad()
        model.zero_grad()
        for r in range(size):
            (loss(reference, xs[r], ys[r]) / size).backward()
        loss(model, xs[rank], ys[rank]).backward()
        equal_gradients(model, reference)
    model.zero_grad()  # two graphs, two passes
    losses = [squares(model, xs[rank], ys[rank]), squares(model, 2 * xs[rank], ys[rank])]
    for one in losses:
        one.backward()
    reference.zero_grad()
    for r in range(size):
        (two_forwards(reference, xs[r], ys[r]) / size).backward()
    equal_gradients(model, reference)
    # Gradients that are given back, instead of added to grad, are averaged as well.
    names = [p for _, p in model.named_parameters()]
    found = tt.grad(two_forwards(model, xs[rank], ys[rank]), names)
    for got, p in zip(found, reference.parameters(), strict=True):
        equal(got, p.grad.numpy())
    model.zero_grad()
    squares(model, xs[rank], ys[rank]).backward(inputs=[model.module.scale])
    assert model.module.weight.grad is None
    same_everywhere([model.module.scale.grad])
    raises(
        tt.GraphError,
        "no create_graph",
        squares(model, xs[rank], ys[rank]).backward,
        create_graph=True,
    )


class Checkpointed(nn.Module):
    """Layers of which some, or all, are computed again in backward."""

    def __init__(self, whole):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.whole = whole

    def forward(self, x):
        def inner(h):
            return tt.func.checkpoint(lambda h: h @ self.b.weight.T.exp(), h)

        def every(x):
            return self.c(inner(self.a(x).tanh()).tanh())

        return tt.func.checkpoint(every, x) if self.whole else every(x)


@check
def parts_may_be_computed_again():
    xs, ys = data()
    for whole in (False, True):
        tt.manual_seed(0)
        reference, inner = Checkpointed(whole).double(), Checkpointed(whole).double()
        model = parallel(inner, find_unused_parameters=whole)
        model.load_state_dict(reference.state_dict())
        for _ in range(3):  # on top of each other
            squares(reference, xs.reshape(-1, 6), ys.reshape(-1, 3)).backward()
            squares(model, xs[dist.rank()], ys[dist.rank()]).backward()
        equal_gradients(model, reference)


@check
def parameters_may_get_another_dtype_or_shape():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(tt.ones(4))

        def forward(self, x):
            return x * self.scale

    model = parallel(Scaled())
    for given in (tt.ones(4), tt.ones(1), tt.ones(4).astype("float64")):
        model.zero_grad()
        model.module.scale.data = given
        model(tt.full((4,), dist.rank() + 1.0)).sum().backward()
        got = model.module.scale.grad
        wanted = (dist.size() + 1) / 2 * (4 if given.shape == (1,) else 1)
        assert (got.shape, got.dtype) == (given.shape, given.dtype)
        equal(got, np.full(given.shape, wanted))
    if dist.rank():
        model.float()
        raises(RuntimeError, "whose dtype or shape has changed", model, tt.ones(4))
    else:
        loss = model(tt.ones(4).double()).sum()
        raises(RuntimeError, "whose dtype or shape has changed", loss.backward)


@check
def hooks_of_parameters_are_called_before_the_mean():
    xs, ys = data()
    model = parallel(mlp())
    weight = model.module[0].weight
    seen = []

    def hook(gradient):
        seen.append(gradient.numpy().copy())
        return gradient * 3

    handle = weight.register_hook(hook)
    squares(model, xs[dist.rank()], ys[dist.rank()]).backward()
    handle.remove()
    mean = np.mean(dist.all_gather_object(seen[0]), 0)
    equal(weight.grad, 3 * mean)
    assert len(seen) == 1


@check
def buffers_are_those_of_rank_0():
    tt.manual_seed(0)
    model = parallel(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).double())
    xs, ys = data()
    for _ in range(3):
        squares(model, xs[dist.rank()], ys[dist.rank()]).backward()
        norm = model.module[1]
        with tt.no_grad():
            norm.eval()
            model(tt.tensor(xs[0]))
            norm.train()
        assert norm.num_batches_tracked.item() == _ + 1
    squares(model, xs[0], ys[0]).backward()  # the same batch: the same statistics afterwards
    same_everywhere(model.buffers())


class Counting(nn.Module):
    """A forward pass that assigns a new buffer, instead of changing the one that was there."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)
        self.register_buffer("count", tt.tensor(0))
        self.register_buffer("nothing", None)
        self.register_buffer("even", tt.tensor(True))
        self.register_buffer("positions", (tt.arange(3) + dist.rank()).expand(2, -1))

    def forward(self, x):
        self.positions = self.positions[:1].expand(2, -1)
        self.count = self.count + 1 + 10 * dist.rank()
        self.even = self.count % 2 == 0
        return self.layer(x)


@check
def buffers_may_be_assigned():
    model = parallel(Counting())
    for step in range(3):
        assert model.module.count.item() == (step and step + 10 * dist.rank())
        model(tt.ones(2, 6)).sum().backward()
        assert model.module.positions.tolist() == [[0, 1, 2]] * 2
    model.eval()
    model(tt.ones(2, 6)).sum().backward()  # its own, and no other's
    assert model.module.count.item() == 4 + 20 * dist.rank()


@check
def parameters_of_other_dtypes():
    for dtype in (tt.bfloat16, tt.float16):
        tt.manual_seed(0)
        model = parallel(nn.Linear(6, 3).to(dtype))
        x = tt.tensor(own((4, 6), np.float32)).astype(dtype)
        model(x).sum().backward()
        wanted = np.mean(
            [
                everybody((4, 6), np.float32)[r].astype(dtype).astype(np.float32).sum(0)
                for r in range(dist.size())
            ],
            0,
        )
        assert model.module.weight.grad.dtype == dtype
        got = model.module.weight.grad.numpy().astype(np.float32)[0]
        np.testing.assert_allclose(got, wanted, rtol=2**-7, atol=2**-7)
    z = nn.Parameter(tt.tensor([1 + 2j, 3 - 1j]))

    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.z = nn.Parameter(z.detach().clone())

        def forward(self, c):
            return (self.z * c).abs().sum()

    model = parallel(Complex())
    model(tt.tensor([1.0 + dist.rank(), 1j])).backward()
    wanted = []
    for r in range(dist.size()):
        z.grad = None
        (z * tt.tensor([1.0 + r, 1j])).abs().sum().backward()
        wanted.append(z.grad.numpy())
    np.testing.assert_allclose(model.module.z.grad.numpy(), np.mean(wanted, 0), rtol=1e-6)


@check
def models_that_differ_are_told():
    layer = nn.Linear(3, 2 + (dist.rank() == 0))
    told = raises(ValueError, "DistributedDataParallel: part 0 of the module", parallel, layer)
    assert "on rank" in told
    raises(ValueError, "no parameter of the module", parallel, nn.ReLU())
    model = parallel(nn.Sequential(nn.Linear(6, 3), nn.Linear(3, 3).requires_grad_(False)))
    model.module[1].requires_grad_(True)
    raises(ValueError, "1.weight was not there, or required no", model, tt.ones(2, 6))
    model.module[1] = nn.Linear(3, 3)
    raises(ValueError, "1.weight was not there", model, tt.ones(2, 6))


@check
def a_pass_that_fails_is_not_gone_on_with():
    fails = []

    @tt.op
    def faulty(x):
        return x * 1

    def rule(g):
        if fails:
            raise ArithmeticError("no gradient")
        return g

    faulty.grad(x=rule)

    class Faulty(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x):
            return self.second(faulty(self.first(x).tanh()).tanh())

    x, model = tt.tensor(data()[0][dist.rank()]), Faulty().double()
    wrapped = parallel(model)
    for _ in range(2):
        wrapped(x).sum().backward()
    fails.append(True)
    raises(ArithmeticError, "no gradient", wrapped(x).sum().backward)
    raises(tt.GraphError, "did not come to its end", wrapped, x)
    fails.clear()
    again = parallel(model)
    again.zero_grad()
    again(x).sum().backward()
    same_everywhere(gradients(again))
    assert gradients(again)[0].any()


@check
def ranks_with_fewer_batches_join():
    xs, ys = data(rows=2)
    rank, size = dist.rank(), dist.size()
    for by_size, first in ((True, 1), (False, 1), (True, 0), (False, -size)):
        reference, model = mlp(), parallel(mlp())
        one, many = (tt.optim.SGD(m.parameters(), lr=0.1) for m in (reference, model))
        steps = [abs(rank_ + first) for rank_ in range(size)]  # rank 0 ends first, or last
        with model.join(divide_by_initial_size=by_size):
            for _ in range(steps[rank]):
                many.zero_grad()
                squares(model, xs[rank], ys[rank]).backward()
                many.step()
        for step in range(max(steps)):
            one.zero_grad()
            active = [r for r in range(size) if steps[r] > step]
            for r in active:
                count = size if by_size else len(active)
                (squares(reference, xs[r], ys[r]) / count).backward()
            one.step()
        for got, wanted in zip(model.parameters(), reference.parameters(), strict=True):
            equal(got, wanted.numpy())
        same_everywhere(model.parameters())
        squares(model, xs[rank], ys[rank]).backward()
        squares(model, xs[rank], ys[rank]).backward()
        same_everywhere(gradients(model))


@check
def one_rank_may_export_the_model():
    model = parallel(nn.Linear(6, 3))
    model(tt.ones(2, 6)).sum().backward()
    if dist.rank() == 0 and find_spec("onnx"):
        exported = tt.onnx.export(model, tt.ones(2, 6))
        assert [one.name for one in exported.graph.initializer] == ["weight", "bias"]


@check
def bytes_are_those_of_the_theory():
    xs, ys = data()
    model = parallel(mlp())
    dist.reset_statistics()
    squares(model, xs[dist.rank()], ys[dist.rank()]).backward()
    counts = dist.statistics()["gradients"]
    padded = sum(-(-p.nbytes // 64) * 64 for p in model.parameters())
    assert counts["bytes"] == padded
    least, size = 2 * (dist.size() - 1) / dist.size() * padded, dist.size()
    assert least <= counts["sent"] < least + size * counts["calls"]


@check
def gives_the_same_bits_in_any_run():
    tt.manual_seed(0)
    model = dist.DistributedDataParallel(nn.Linear(300, 70), bucket_bytes=1 << 14)
    found = []
    for _ in range(3):
        model.zero_grad()
        model(tt.tensor(own((8, 300), np.float32))).tanh().sum().backward()
        found.append(gradients(model))
        same_everywhere(found[-1])
    for grads in found[1:]:
        assert all((a == b).all() for a, b in zip(grads, found[0], strict=True))


def main() -> None:
    dist.init(timeout=20)
    assert dist.is_initialized()
    for function in CHECKS:
        if sys.argv[1:] and function.__name__ not in sys.argv[1:]:
            continue
        start = time.perf_counter()
        function()
        dist.barrier()
        if dist.rank() == 0:
            print(f"{function.__name__} {time.perf_counter() - start:.2f}", flush=True)
    dist.shutdown()
    assert not dist.is_initialized()


if __name__ == "__main__":
    main()
