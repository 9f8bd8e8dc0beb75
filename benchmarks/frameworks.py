"""The frameworks that are compared: how each makes tensors, differentiates, and takes a step.

The parent process only asks the classes; a worker makes one object, which imports the library.
"""

from __future__ import annotations

import os
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from itertools import cycle
from typing import Any, ClassVar

import numpy as np

from .row import Row, initial

LEARNING_RATE = 1e-4
CHECKED_STEPS = 3
LOADED_STEPS = 20  # in a run: more than are loaded ahead while another framework has its turn


@dataclass
class Work:
    """What is timed, as source or as a function, and the same once more for its outputs."""

    run: str | Callable[[], Any]
    outputs: Callable[[], Sequence[Any]]
    names: dict[str, Any] = field(default_factory=dict)
    context: Callable[[], AbstractContextManager[Any]] = nullcontext

    def seconds(self, n: int) -> float:
        """The time of n runs, the garbage collector at work as in any program."""
        timer = timeit.Timer(self.run, "import gc; gc.enable()", globals=self.names)
        with self.context():
            return timer.timeit(n)


def first(result: Any) -> Any:
    """A layer's output, of those that also return their state."""
    return result[0] if isinstance(result, tuple) else result


class Framework:
    """A library, imported and told how many threads to use."""

    name: ClassVar[str]
    module: ClassVar[str]  # what is imported
    builder: ClassVar[str]  # which of a row's builders it takes
    environment: ClassVar[dict[str, str]] = {}
    host: ClassVar[str] = ""  # the framework whose process it shares

    def __init__(self, threads: int) -> None:
        self.library = import_module(self.module)

    @classmethod
    def takes(cls, row: Row) -> bool:
        """Is the row for this framework?"""
        return row.builders.get(cls.builder) is not None

    @classmethod
    def version(cls) -> str:
        return version(cls.module)

    def build(self, row: Row) -> Any:
        builder = row.builders[self.builder]
        assert builder is not None
        return builder(self.library)

    def prepare(self, row: Row) -> Work:
        return getattr(self, row.mode)(row)

    def array(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def says(self) -> str:
        """Which instruction set the library says that it runs; "" if it does not say."""
        return ""


class Eager(Framework):
    """What tinytensor and PyTorch have in common, which is all but the making of a tensor."""

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        raise NotImplementedError

    def gradients(self, output: Any, leaves: list[Any], cotangent: Any) -> Sequence[Any]:
        raise NotImplementedError

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def array(self, tensor: Any) -> np.ndarray:
        return np.array(tensor.detach() if hasattr(tensor, "detach") else tensor)

    def initialise(self, model: Any) -> Any:
        with self.library.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.tensor(initial(name, tuple(parameter.shape))))
        return model

    def statement(self, row: Row) -> Work:
        source = self.build(row)
        names = {
            name: self.tensor(array, name in row.recorded) for name, array in row.arrays().items()
        }

        def outputs() -> list[Any]:
            results = [eval(source, dict(names)), *(names[name].grad for name in row.recorded)]
            return [result for result in results if result is not None]

        return Work(source, outputs, names)

    def function(self, row: Row) -> tuple[Callable[..., Any], list[Any]]:
        """What the row builds, and the parameters that it has."""
        function = self.build(row)
        if not hasattr(function, "named_parameters"):
            return function, []
        return self.initialise(function), list(function.parameters())

    def forward(self, row: Row) -> Work:
        function, _ = self.function(row)
        inputs = [self.tensor(array) for array in row.arrays().values()]

        def run() -> Any:
            return function(*inputs)

        return Work(run, lambda: [first(run())], context=self.library.no_grad)

    def backward(self, row: Row) -> Work:
        function, parameters = self.function(row)
        arrays = list(row.arrays().values())
        inputs = [self.tensor(array, array.dtype.kind == "f") for array in arrays]
        leaves = [x for x in inputs if x.requires_grad] + parameters
        cotangent = self.tensor(cotangent_of(tuple(first(function(*inputs)).shape)))

        def run() -> list[Any]:
            output = first(function(*inputs))
            return [output, *self.gradients(output, leaves, cotangent)]

        return Work(run, run)

    def train(self, row: Row) -> Work:
        model = self.initialise(self.build(row))
        parameters = list(model.parameters())
        optimizer = self.library.optim.AdamW(parameters, lr=LEARNING_RATE)
        cross_entropy = self.library.nn.functional.cross_entropy
        arrays = row.arrays()
        images = arrays["y"].ndim == 3  # a class of each pixel, whose logits are (N, K, H, W)
        x, y = self.tensor(arrays["x"]), self.tensor(arrays["y"] if images else arrays["y"].ravel())

        def loss() -> Any:
            logits = model(x)
            return cross_entropy(logits if images else logits.reshape(-1, logits.shape[-1]), y)

        loss = self.compiled(loss)

        def step() -> float:
            value = loss()
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value.item()

        def outputs() -> list[np.ndarray]:
            loss().backward()
            norms = [np.linalg.norm(self.array(parameter.grad)) for parameter in parameters]
            return [np.array(norms), np.array([step() for _ in range(CHECKED_STEPS)])]

        return Work(step, outputs)


def cotangent_of(shape: tuple[int, ...]) -> np.ndarray:
    """What backward starts from: the same in every process."""
    return np.asarray(np.random.default_rng(1).standard_normal(shape), np.float32)


class TinyTensor(Eager):
    name = module = builder = "tinytensor"

    @classmethod
    def version(cls) -> str:  # of this tree, which need not be installed
        return import_module(cls.module).__version__

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        return self.library.tensor(array, requires_grad=requires_grad)

    def says(self) -> str:
        kernels = import_module("tinytensor.kernels")
        if kernels.active == "reference":
            return kernels.active
        return import_module("tinytensor.kernels._core").isa()

    def gradients(self, output: Any, leaves: list[Any], cotangent: Any) -> Sequence[Any]:
        return self.library.grad(output, leaves, cotangent)

    def batches(self, loader: Any) -> Iterator[Any]:
        """Batch after batch, without an end."""
        while True:
            yield from loader

    def loaded(self, row: Row) -> Work:
        model, loader = self.build(row)
        self.initialise(model)
        optimizer = self.library.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
        batches = self.batches(loader)

        def step() -> float:
            x, y = next(batches)
            value = self.library.nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value.item()

        def run() -> None:
            for _ in range(LOADED_STEPS):
                step()

        return Work(run, lambda: [np.array([step() for _ in range(CHECKED_STEPS)])])


class Held(TinyTensor):
    """tinytensor with the batches of a loader held ready: what its loading is hidden behind."""

    name = "held"
    host = "tinytensor"

    @classmethod
    def takes(cls, row: Row) -> bool:
        return row.mode == "loaded"

    def batches(self, loader: Any) -> Iterator[Any]:
        return cycle(list(loader))


class NumPy(TinyTensor):
    """Plain NumPy: what a row has for it, otherwise tinytensor's reference kernels."""

    name = "numpy"
    environment = {"TINYTENSOR_KERNELS": "reference"}

    @classmethod
    def takes(cls, row: Row) -> bool:
        if "numpy" in row.builders or row.mode == "statement":
            return row.builders.get("numpy") is not None
        return super().takes(row)

    @classmethod
    def version(cls) -> str:
        return np.__version__

    def says(self) -> str:
        """Which kernels its BLAS has chosen, or was told to take."""
        try:
            from threadpoolctl import threadpool_info
        except ImportError:
            return ""
        blas = [one for one in threadpool_info() if one["user_api"] == "blas"]
        return ", ".join(f"{one['prefix']}: {one.get('architecture')}" for one in blas[:1])

    def forward(self, row: Row) -> Work:
        builder = row.builders.get("numpy")
        if builder is None:
            return super().forward(row)
        function, inputs = builder(np), list(row.arrays().values())

        def run() -> Any:
            return function(*inputs)

        return Work(run, lambda: [run()])

    def statement(self, row: Row) -> Work:
        builder = row.builders["numpy"]
        assert builder is not None
        source, names = builder(np), row.arrays()
        return Work(source, lambda: [eval(source, dict(names))], names)


class Torch(Eager):
    name = module = builder = "torch"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.library.set_num_threads(threads)

    def says(self) -> str:
        return self.library.backends.cpu.get_cpu_capability().lower()

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        return self.library.tensor(array, requires_grad=requires_grad)

    def gradients(self, output: Any, leaves: list[Any], cotangent: Any) -> Sequence[Any]:
        return self.library.autograd.grad(output, leaves, cotangent)


class TorchCompile(Torch):
    """PyTorch with forward, loss and backward compiled, for training steps alone."""

    name = "torch-compile"

    @classmethod
    def takes(cls, row: Row) -> bool:
        return row.mode == "train" and super().takes(row)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self.library.compile(function)


class Jax(Framework):
    """JAX, each function compiled as a whole. Its threads are as many as its process has CPUs."""

    name = module = builder = "jax"

    def __init__(self, threads: int) -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        super().__init__(threads)

    def work(self, function: Callable[..., Any], *inputs: Any) -> Work:
        compiled, wait = self.library.jit(function), self.library.block_until_ready

        def run() -> Any:
            return wait(compiled(*inputs))

        return Work(run, run)

    def forward(self, row: Row) -> Work:
        function = self.build(row)
        inputs = [self.library.numpy.array(array) for array in row.arrays().values()]
        return self.work(lambda *inputs: (function(*inputs),), *inputs)

    def backward(self, row: Row) -> Work:
        function = self.build(row)
        inputs = [self.library.numpy.array(array) for array in row.arrays().values()]

        def both(cotangent: Any, *inputs: Any) -> Any:
            output, pull = self.library.vjp(function, *inputs)
            return output, *pull(cotangent)

        return self.work(both, cotangent_of(function(*inputs).shape), *inputs)

    def train(self, row: Row) -> Work:
        jax, jnp = self.library, self.library.numpy
        model = self.build(row)
        x, y = (jnp.array(array) for array in row.arrays().values())
        parameters = {name: jnp.array(initial(name, s)) for name, s in model.shapes.items()}
        zeros = {name: jnp.zeros(s) for name, s in model.shapes.items()}
        state = [parameters, zeros, dict(zeros), 0]

        def loss(parameters: Any) -> Any:
            logits = jax.nn.log_softmax(model(parameters, x), axis=-1)
            return -jnp.take_along_axis(logits, y[..., None], axis=-1).mean()

        def adamw(p: Any, g: Any, m: Any, v: Any, t: Any) -> Any:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            unbiased_m, unbiased_v = m / (1 - 0.9**t), v / (1 - 0.999**t)
            p = p * (1 - LEARNING_RATE * 0.01)
            return p - LEARNING_RATE * unbiased_m / (jnp.sqrt(unbiased_v) + 1e-8), m, v

        @jax.jit
        def update(parameters: Any, means: Any, squares: Any, t: Any) -> Any:
            value, gradients = jax.value_and_grad(loss)(parameters)
            t = t + 1
            new = {
                name: adamw(p, gradients[name], means[name], squares[name], t)
                for name, p in parameters.items()
            }
            return value, *({name: each[i] for name, each in new.items()} for i in range(3)), t

        def step() -> float:
            value, *state[:] = update(*state)
            return float(jax.block_until_ready(value))

        def outputs() -> list[np.ndarray]:
            gradients = jax.jit(jax.grad(loss))(parameters)
            norms = [np.linalg.norm(gradients[name]) for name in model.shapes]
            return [np.array(norms), np.array([step() for _ in range(CHECKED_STEPS)])]

        return Work(step, outputs)


FRAMEWORKS: dict[str, type[Framework]] = {
    framework.name: framework for framework in (TinyTensor, Held, NumPy, Torch, TorchCompile, Jax)
}
