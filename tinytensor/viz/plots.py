"""Figures by matplotlib: each function returns one, to be shown or saved (``.savefig(path)``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ShapeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'tinytensor.viz draws with matplotlib: pip install "tinytensor[examples]"'
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def plot_confusion(matrix: Any, names: Sequence[Any] | None = None, title: str = "") -> Figure:
    """A confusion matrix (C, C), rows true and columns predicted; errors stand out in red."""
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"plot_confusion: the matrix must be (C, C), not {matrix.shape}")
    classes = len(matrix)
    ticks = [str(name) for name in (range(classes) if names is None else names)]
    if len(ticks) != classes:
        raise ShapeError(f"plot_confusion: {len(ticks)} names for {classes} classes")
    figure = _figure(1.5 + 0.45 * classes, 1.5 + 0.45 * classes)
    axes = figure.subplots()
    wrong = matrix * (1 - np.eye(classes, dtype=matrix.dtype))
    axes.imshow(wrong, cmap="Reds", vmin=0, vmax=max(int(wrong.max(initial=0)), 1) * 1.5)
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            axes.text(j, i, str(count), ha="center", va="center", color="k" if i != j else "0.5")
    axes.set(xlabel="predicted", ylabel="true", title=title)
    axes.set_xticks(range(classes), ticks)
    axes.set_yticks(range(classes), ticks)
    return figure


def plot_images(
    images: Any, captions: Sequence[str] | None = None, columns: int = 8, title: str = ""
) -> Figure:
    """A grid of images, each with its caption: grey ones (N, H, W) or (N, 1, H, W), dark where they
    are large; or red, green and blue (N, 3, H, W), of bytes or in [0, 1]. N may be 0."""
    images = _pictures("plot_images", images)
    return _grid(images, None, captions, columns, title)


def plot_maps(
    maps: Any,
    images: Any = None,
    captions: Sequence[str] | None = None,
    columns: int = 8,
    title: str = "",
) -> Figure:
    """A grid of maps (N, H, W), bright where they are large, each by its own range; laid over its
    image if ``images``, as `plot_images` takes them, are given.

    They are what `feature_maps` gives of one image, or `saliency` and `grad_cam` of several.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3:
        raise ShapeError(f"plot_maps: maps must be (N, H, W), not {maps.shape}")
    if images is not None:
        images = _pictures("plot_maps", images)
        if len(images) != len(maps):
            raise ShapeError(f"plot_maps: {len(maps)} maps for {len(images)} images")
    return _grid(images, maps, captions, columns, title)


def _pictures(caller: str, images: Any) -> np.ndarray:
    """Images (N, H, W), or (N, H, W, 3), as matplotlib takes them."""
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[1] == 1:
        return images[:, 0]
    if images.ndim == 4 and images.shape[1] == 3:
        images = np.moveaxis(images, 1, -1)
        return images if images.dtype == np.uint8 else np.clip(images, 0, 1)
    if images.ndim != 3:
        raise ShapeError(
            f"{caller}: images must be (N, H, W), (N, 1, H, W) or (N, 3, H, W), not {images.shape}"
        )
    return images


def _grid(
    images: np.ndarray | None,
    maps: np.ndarray | None,
    captions: Sequence[str] | None,
    columns: int,
    title: str,
) -> Figure:
    shown: Any = maps if images is None else images
    caller = "plot_images" if maps is None else "plot_maps"
    if captions is not None and len(captions) != len(shown):
        what = "images" if maps is None else "maps"
        raise ShapeError(f"{caller}: {len(captions)} captions for {len(shown)} {what}")
    rows = max(-(-len(shown) // columns), 1)
    figure = _figure(1.2 * columns, 1.4 * rows + 0.4)
    figure.suptitle(title)
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if i < len(shown):
            height, width = shown[i].shape[:2]
            extent = (0, width, height, 0)
            if images is not None:
                axes.imshow(images[i], cmap="gray_r" if maps is None else "gray", extent=extent)
            if maps is not None:
                alpha = 1.0 if images is None else 0.5
                axes.imshow(maps[i], cmap="inferno", alpha=alpha, extent=extent)
            if captions is not None:
                axes.set_title(captions[i], fontsize=9)
    return figure


def plot_losses(losses: Sequence[float], smooth: int = 50, title: str = "") -> Figure:
    """The loss of every step, and its running mean over ``smooth`` steps."""
    figure = _figure(6, 4)
    axes = figure.subplots()
    axes.plot(losses, color="0.8")
    smooth = min(smooth, len(losses))
    if smooth > 1:
        mean = np.convolve(losses, np.ones(smooth) / smooth, "valid")
        axes.plot(np.arange(smooth - 1, len(losses)), mean)
    axes.set(xlabel="step", ylabel="loss", title=title)
    return figure


def plot_alignments(
    weights: Sequence[Any],
    sources: Sequence[Sequence[str]],
    targets: Sequence[Sequence[str]],
    columns: int = 2,
    title: str = "",
) -> Figure:
    """What attention looks at: for each of N pairs its weights (T, S), dark where they are large,
    with the S tokens of the source above and the T of the target at the side. A string is its
    characters. The weights may have more rows and columns than there are tokens: those are padding.
    """
    if not len(weights) == len(sources) == len(targets):
        raise ShapeError(
            f"plot_alignments: {len(weights)} weights, {len(sources)} sources and {len(targets)}"
            " targets"
        )
    tables = [np.asarray(table) for table in weights]
    for i, (table, source, target) in enumerate(zip(tables, sources, targets, strict=True)):
        shape = (len(target), len(source))
        if table.ndim != 2 or table.shape[0] < shape[0] or table.shape[1] < shape[1]:
            raise ShapeError(f"plot_alignments: weights {i} are {table.shape}, of tokens {shape}")
    columns = max(min(columns, len(tables)), 1)
    rows = max(-(-len(tables) // columns), 1)
    wide = 0.5 + 0.22 * max(map(len, sources), default=8)
    high = 0.9 + 0.22 * max(map(len, targets), default=8)
    figure = _figure(wide * columns, high * rows + (0.4 if title else 0))
    figure.suptitle(title)
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if i >= len(tables):
            axes.axis("off")
            continue
        source, target = list(sources[i]), list(targets[i])
        axes.imshow(tables[i][: len(target), : len(source)], cmap="Greys", vmin=0, vmax=1)
        long = max(map(len, source), default=0) > 2
        axes.set_xticks(range(len(source)), source, rotation=90 if long else 0)
        axes.set_yticks(range(len(target)), target)
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    return figure


def plot_flow(norms: Mapping[str, Any], title: str = "") -> Figure:
    """Norms of gradients, (T,) by name, against the step t, on a logarithmic scale: what
    `gradient_flow` gives, of one model or of several. A norm of 0 leaves a gap."""
    figure = _figure(6, 3.6)
    axes = figure.subplots()
    for name, each in norms.items():
        values = np.asarray(each, np.float64)
        if values.ndim != 1:
            raise ShapeError(f"plot_flow: the norms of {name} must be (T,), not {values.shape}")
        axes.plot(np.where(values > 0, values, np.nan), label=name)
    axes.set(xlabel="step t", ylabel="‖∂L/∂h_t‖", title=title, yscale="log")
    if norms:
        axes.legend(fontsize=8)
    return figure


def plot_flow_map(
    maps: Mapping[str, Any],
    steps: Sequence[int] | None = None,
    decades: float = 8,
    title: str = "",
) -> Figure:
    """Norms of gradients as a model learns, (S, T) by name, side by side: the step t to the right,
    training downwards, bright where the norm is large, on one logarithmic scale of so many decades
    below the largest. They are what `FlowRecorder` has: ``recorder.maps``, ``recorder.steps``."""
    tables = {name: np.asarray(each, np.float64) for name, each in maps.items()}
    for name, table in tables.items():
        rows = table.shape[0] if steps is None or table.ndim != 2 else len(steps)
        if table.ndim != 2 or len(table) != rows:
            wanted = "(S, T)" if steps is None else f"({len(steps)}, T)"
            raise ShapeError(f"plot_flow_map: the norms of {name} must be {wanted}: {table.shape}")
    most = max((table.max(initial=0.0) for table in tables.values()), default=0.0) or 1.0
    figure = _figure(3 * max(len(tables), 1) + 1.2, 3.6)
    figure.suptitle(title)
    plots = figure.subplots(1, max(len(tables), 1), squeeze=False)[0]
    for axes, (name, table) in zip(plots, tables.items(), strict=False):
        with np.errstate(divide="ignore"):
            logs = np.log10(table / most)
        last = len(table) if steps is None else steps[-1] if len(steps) else 0
        extent = (0, table.shape[1], max(last, 1), 0)
        shown = axes.imshow(
            np.maximum(logs, -decades) + np.log10(most),
            extent=extent,
            aspect="auto",
            cmap="inferno",
            vmin=np.log10(most) - decades,
            vmax=np.log10(most),
        )
        axes.set(xlabel="step t", title=name)
    if tables:
        plots[0].set_ylabel("steps of training")
        figure.colorbar(shown, ax=list(plots), label="log₁₀ ‖∂L/∂h_t‖")
    return figure
