"""What a network looks at: the maps of its layers, and how much each pixel matters to an output.

Every function gives arrays; `plot_maps` draws them. The model is run in evaluation mode, and its
parameters, their gradients and its modes are as before afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ..engine.grad import grad
from ..engine.grad_mode import enable_grad
from ..errors import ShapeError
from ..nn import Module
from ..nn import functional as F
from ..nn.evaluating import evaluating, in_mode
from ..ops.checks import number, whole
from ..random import seeded
from ..tensors.tensor import Tensor

Target = int | Iterable[int] | Callable[[Any], Tensor] | None


def feature_maps(
    model: Module, input: Any, layers: Iterable[str] | str | None = None
) -> dict[str, np.ndarray]:
    """The outputs of the modules that ``layers`` names, by name; by default of all that hold no
    others and give images (N, C, H, W). Of a module that is called more than once, the last.

    >>> import tinytensor as tt
    >>> maps = feature_maps(tt.models.LeNet(), tt.zeros((2, 1, 28, 28)))
    >>> {name: array.shape for name, array in maps.items()}
    {'conv1': (2, 6, 28, 28), 'conv2': (2, 16, 10, 10)}
    """
    if layers is None:
        wanted = [name for name, m in model.named_modules() if not list(m.children())]
    else:
        wanted = [layers] if isinstance(layers, str) else list(layers)
    with evaluating(model), _outputs(model, wanted) as found:
        model(_tensor(input))
    if layers is None:
        found = {n: out for n, out in found.items() if isinstance(out, Tensor) and out.ndim == 4}
    return {name: _of_a_tensor(name, out).numpy() for name, out in found.items()}


def saliency(
    model: Module,
    input: Any,
    target: Target = None,
    *,
    samples: int = 1,
    noise: float = 0.15,
    generator: np.random.Generator | int | None = None,
) -> np.ndarray:
    """|∂ score / ∂ pixel|, the largest of the channels: images (N, C, H, W) → (N, H, W).

    The score is the output (N, classes) at ``target``: a class for all, one for each image, or
    by default each image's likeliest; or what a function of the outputs gives, of which the sum is
    taken. (Simonyan, Vedaldi and Zisserman 2014, "Deep inside convolutional networks".)

    With ``samples`` above 1 the gradients are means over so many images with normal noise added, of
    a deviation of ``noise`` times the range of each image. (Smilkov et al. 2017, "SmoothGrad".)

    >>> import tinytensor as tt
    >>> model = tt.nn.Sequential(tt.nn.Flatten(), tt.nn.Linear(4, 2))
    >>> slopes = abs(model[1].weight[1]).tolist()
    >>> saliency(model, tt.ones((1, 1, 2, 2)), 1).ravel().tolist() == slopes
    True
    """
    whole("saliency", 1, samples=samples)
    number("saliency", "noise", noise, 0)
    x = _images("saliency", input)
    with in_mode(model, training=False):
        target = _classes(model, x, target)
        if samples == 1:
            return np.abs(_gradient(model, x, target)).max(1)
        draw, spread = seeded(generator), noise * np.ptp(x, axis=(1, 2, 3), keepdims=True)
        total = np.zeros(x.shape, np.float64)
        for _ in range(samples):
            noisy = x + spread * draw.standard_normal(x.shape)
            total += _gradient(model, noisy.astype(x.dtype), target)
        return np.abs(total / samples).max(1).astype(x.dtype)


def integrated_gradients(
    model: Module, input: Any, target: Target = None, *, baseline: Any = 0.0, steps: int = 32
) -> np.ndarray:
    """What each pixel adds to the score, from ``baseline`` (by default black) to the image:
    (N, C, H, W) → (N, C, H, W).

    (x - baseline) times the mean gradient along the straight line between them, at the middles of
    ``steps`` parts; so all together add up to the difference of the scores, the better the more
    steps. ``target`` is as in `saliency`. (Sundararajan, Taly and Yan 2017, "Axiomatic
    attribution for deep networks".)

    >>> import tinytensor as tt
    >>> square = lambda out: out ** 2
    >>> x = tt.tensor([[[[3.0, 1.0]]]])
    >>> integrated_gradients(tt.nn.Identity(), x, square, steps=1).ravel().tolist()
    [9.0, 1.0]
    """
    whole("integrated_gradients", 1, steps=steps)
    x = _images("integrated_gradients", input)
    start = np.broadcast_to(np.asarray(baseline, x.dtype), x.shape)
    with in_mode(model, training=False):
        target = _classes(model, x, target)
        total = np.zeros(x.shape, np.float64)
        for i in range(steps):
            part = (i + 0.5) / steps
            total += _gradient(model, (start + part * (x - start)).astype(x.dtype), target)
    return ((x - start) * (total / steps)).astype(x.dtype)


def grad_cam(
    model: Module,
    input: Any,
    layer: str | Module,
    target: Target = None,
    *,
    relu: bool = True,
    resize: bool = True,
) -> np.ndarray:
    """Where a layer's maps A (N, K, h, w) speak for the score: (N, H, W), of the images' size, or
    (N, h, w) without ``resize``.

    max(0, Σₖ αₖ Aₖ), where αₖ is the mean of ∂ score / ∂ Aₖ over all places; without ``relu`` also
    what speaks against it. ``layer`` is a module or its name, commonly the last with an image for
    its output; ``target`` is as in `saliency`. (Selvaraju et al. 2017, "Grad-CAM".)
    """
    x = _images("grad_cam", input)
    name = _name_of(model, layer)
    with in_mode(model, training=False):
        target = _classes(model, x, target)
        with enable_grad(), _outputs(model, [name]) as found:
            # The input wants a gradient, so that the maps have one where all weights are fixed.
            score = _score(model(Tensor(x, requires_grad=True)), target)
            maps = _of_a_tensor(name, found[name])
            if maps.ndim != 4:
                raise ShapeError(f"grad_cam: {name} gives {maps.shape}, not maps (N, K, h, w)")
            (slopes,) = grad(score, maps)
    weights = slopes.numpy().mean((2, 3), keepdims=True)
    heat = (weights * maps.detach().numpy()).sum(1)
    heat = np.maximum(heat, 0) if relu else heat
    if not resize:
        return heat
    size = x.shape[-2:]
    large = F.interpolate(Tensor(heat[:, None]), size=size, mode="bilinear", align_corners=False)
    return large.numpy()[:, 0]


def _tensor(input: Any) -> Tensor:
    return input.detach() if isinstance(input, Tensor) else Tensor(np.asarray(input))


def _images(caller: str, input: Any) -> np.ndarray:
    x = _tensor(input).numpy()
    if x.ndim != 4 or x.dtype.kind != "f":
        raise ShapeError(
            f"{caller}: input must be images (N, C, H, W) of floats, not {x.dtype} of {x.shape}"
        )
    return x


def _classes(model: Module, x: np.ndarray, target: Target) -> Any:
    """A function as it is; otherwise the class of each image (N,)."""
    if callable(target):
        return target
    if target is None:
        with evaluating(model):
            target = model(Tensor(x)).numpy().argmax(-1)
    return np.broadcast_to(np.asarray(target, np.int64), len(x))


def _score(output: Any, target: Any) -> Tensor:
    if callable(target):
        return target(output).sum()
    if not isinstance(output, Tensor) or output.ndim != 2:
        shape = getattr(output, "shape", type(output).__name__)
        raise ShapeError(
            f"target: a class is one of an output (N, classes), not of {shape}; a function of the"
            " output chooses otherwise"
        )
    return output[np.arange(len(target)), target].sum()


def _gradient(model: Module, x: np.ndarray, target: Any) -> np.ndarray:
    with enable_grad():
        leaf = Tensor(x, requires_grad=True)
        (slopes,) = grad(_score(model(leaf), target), leaf)
    return slopes.numpy()


def _name_of(model: Module, layer: str | Module) -> str:
    if isinstance(layer, str):
        return layer
    for name, module in model.named_modules():
        if module is layer:
            return name
    raise ValueError(f"grad_cam: the {type(layer).__name__} given for layer is not in the model")


@contextmanager
def _outputs(model: Module, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What the modules of these names give, by name, as soon as they have given it."""
    found: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: Module, args: Any, output: Any) -> None:
            found[name] = output

        return hook

    with ExitStack() as hooks:
        for name in names:
            handle = model.get_submodule(name).register_forward_hook(keep(name))
            hooks.callback(handle.remove)
        yield found


def _of_a_tensor(name: str, output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        raise TypeError(f"the output of {name} is {type(output).__name__}, not a tensor")
    return output
