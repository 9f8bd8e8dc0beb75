"""Where the gradients of recurrent networks go: the pictures of docs/vanishing_gradients.md.

Gradients of the adding problem's loss on their way back, in networks that have learned nothing yet;
the eigenvalues and the products of a step's Jacobians; gradients while networks learn; and an
explosion, with clipping and without.

Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent is
difficult"; Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural
networks".
"""

import argparse

import adding_problem
import numpy as np
from command import parse
from matplotlib.figure import Figure

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn.utils import clip_grad_norm_
from tinytensor.viz import (
    FlowRecorder,
    gradient_flow,
    plot_flow,
    plot_flow_map,
    recurrent_jacobian,
    spectral_radius,
)


def lstm(bias):
    """An LSTM whose forget gates begin with a bias."""
    return lambda steps: adding_problem.Last(nn.LSTM(2, 64, forget_bias=bias))


STARTS = {
    "RNN": adding_problem.rnn,
    "GRU": adding_problem.gru,
    "LSTM, forget bias 0": lstm(0.0),
    "LSTM, forget bias 1": lstm(1.0),
    "LSTM, forget biases to log T": adding_problem.lstm,
    "IRNN": adding_problem.irnn,
}


def error_of(sums):
    """The adding problem's loss, of a model's outputs."""
    return lambda outputs: nn.functional.mse_loss(outputs, tt.tensor(sums))


def flows(steps, seed):
    """‖∂L/∂h_t‖ of networks at their start, by name. (In float64: float32 ends at 1e-45.)"""
    x, sums = adding_problem.problems(20, steps, np.random.default_rng(seed))
    found = {}
    for name, build in STARTS.items():
        tt.manual_seed(seed)
        model = build(steps).double()
        found[name] = gradient_flow(model, x.astype(np.float64), error_of(sums))["layer.l0"]
        rate = (found[name][0] / found[name][steps // 2]) ** (1 / (steps // 2))
        print(f"   {name}: {found[name][0]:.1e} at t = 0, {rate:.3f} times a step")
    return found


def jacobians(layer, steps, rng):
    """Of each step, (steps, S, S), the derivative of a layer's next state by its state before, as
    it reads random numbers."""
    state, found = None, []
    for x in rng.random((steps, 1, 2), np.float32):
        found.append(recurrent_jacobian(layer, x, state)[0, 0])
        with tt.no_grad():
            state = layer(tt.tensor(x[None]), state)[1]
    return np.array(found)


def products(steps, seed):
    """A figure: eigenvalues of a step, and norms of the products of many, beside their bounds."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    plane, axes = figure.subplots(1, 2)
    starts = {
        "RNN": nn.RNN(2, 64),
        "RNN, orthogonal": nn.init.orthogonal_recurrent_(nn.RNN(2, 64)),
        "LSTM, forget bias 1": nn.LSTM(2, 64, forget_bias=1.0),
    }
    for i, (name, layer) in enumerate(starts.items()):
        each = jacobians(layer, steps, np.random.default_rng(seed)).astype(np.float64)
        eigenvalues = np.linalg.eigvals(each[-1])
        plane.plot(eigenvalues.real, eigenvalues.imag, ".", ms=4, color=f"C{i}", label=name)
        largest = np.linalg.norm(each, 2, (-2, -1))
        radius = float(np.median(spectral_radius(each)))
        norms, product = [], np.eye(each.shape[-1])
        for jacobian in each[::-1]:
            product = product @ jacobian
            norms.append(np.linalg.norm(product, 2))
        back = np.arange(1, steps + 1)
        axes.plot(back, norms, color=f"C{i}", label=name)
        axes.plot(back, np.cumprod(largest[::-1]), ":", color=f"C{i}", lw=1)
        axes.plot(back, radius**back, "--", color=f"C{i}", lw=1)
        print(
            f"   {name}: spectral radius {radius:.3f}, largest singular value"
            f" {np.median(largest):.3f}; the product of {steps} steps {norms[-1]:.1e}"
        )
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    plane.plot(circle.real, circle.imag, color="0.6", lw=0.8)
    plane.set(title="eigenvalues of one step's Jacobian", aspect="equal")
    plane.legend(fontsize=7, loc="upper left")
    axes.set(
        title="norm of the product (dotted ∏ σ, dashed ρᵏ)", xlabel="steps back, k", yscale="log"
    )
    return figure


def learning(steps, batches, every, seed):
    """A figure: the gradients of three networks while they learn the adding problem; of the root
    of the loss, as the loss's own become small with it."""
    x, sums = adding_problem.problems(50, steps, np.random.default_rng(10**6))

    def root(outputs):
        return tt.sqrt(error_of(sums)(outputs))

    maps = {}
    for name in ("RNN", "GRU", "LSTM"):
        recorder = FlowRecorder(x, root, every)
        losses, _ = train(name, steps, batches, seed, recorder=recorder)
        maps[name] = recorder.maps["layer.l0"]
        first, last = maps[name][0, 0], maps[name][-1, 0]
        print(
            f"   {name}: at t = 0 from {first:.1e} to {last:.1e},"
            f" loss {np.mean(losses[-50:]):.4f} after {batches} batches"
        )
    return plot_flow_map(maps, recorder.steps, decades=7)


def train(name, steps, batches, seed, lr=None, max_norm=1.0, recorder=None):
    """Losses, and norms of the gradients before they are clipped."""
    build, rate = adding_problem.TASK.networks[name]
    tt.manual_seed(seed)
    model = build(steps)
    optimizer = tt.optim.Adam(model.parameters(), lr=lr or rate(steps))
    rng, losses, norms = np.random.default_rng(seed), [], []
    for batch in range(batches + 1):
        if recorder is not None and batch % recorder.every == 0:
            recorder.record(model, batch)
        x, sums = adding_problem.problems(32, steps, rng)
        loss = error_of(sums)(model(tt.tensor(x)))
        optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(model.parameters(), max_norm).item()
        losses.append(loss.item())
        norms.append(norm)
        if np.isfinite(norm):
            optimizer.step()
    return losses, norms


def clipping(steps, batches, seed):
    """A figure: an IRNN learns with clipped gradients, and does not with others."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for max_norm, name in ((float("inf"), "as they are"), (1.0, "clipped to 1")):
        losses, norms = train("IRNN", steps, batches, seed, lr=1e-3, max_norm=max_norm)
        smooth = np.convolve(losses, np.ones(20) / 20, "valid")
        left.plot(smooth, label=f"gradients {name}", lw=1)
        right.plot(norms, lw=0.6)
        print(
            f"   {name}: norms {np.median(norms):.1f} in the middle, {max(norms):.3g} at most,"
            f" loss {np.mean(losses[-50:]):.4f} after {batches} batches"
        )
    left.axhline(1 / 6, color="0.6", lw=0.8)
    left.set(title="loss, mean of 20 batches", xlabel="batches", yscale="log")
    left.legend(fontsize=8)
    right.set(title="norm of the gradient, before it is clipped", xlabel="batches", yscale="log")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parse(parser, "few steps and batches")
    quick, seed = arguments.quick, arguments.seed

    def drawn(name, figure):
        path = arguments.out / f"gradients_{name}.png"
        figure.savefig(path, dpi=70)
        print(f"{path}\n")

    print("How much each state matters to the loss, at the start:")
    steps = 30 if quick else 200
    drawn("start", plot_flow(flows(steps, seed), "networks that have learned nothing"))
    print("One step, and many:")
    drawn("steps", products(10 if quick else 60, seed))
    print("While they learn:")
    drawn("learning", learning(*((15, 20, 10) if quick else (60, 800, 20)), seed))
    print("An explosion:")
    drawn("clipping", clipping(*((15, 20) if quick else (50, 1500)), seed))


if __name__ == "__main__":
    main()
