"""The training loop, the metrics and the pictures."""

import math
import sys

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.errors import DtypeError, ShapeError
from tinytensor.train import (
    History,
    accuracy,
    bits_per_character,
    confusion_matrix,
    evaluating,
    fit,
    next_token_loss,
    predict,
)

pytestmark = pytest.mark.no_c


def line_data():
    x = np.linspace(-1, 1, 16, dtype=np.float32)[:, None]
    return [(tt.tensor(x), tt.tensor(2 * x - 1))]


def test_fit_learns_and_reports(capsys):
    model = tt.nn.Linear(1, 1)
    model.eval()
    seen = []
    optimizer = tt.optim.SGD(model.parameters(), lr=0.3)

    def evaluate(model):
        assert not model.training
        assert not tt.is_grad_enabled()
        return {"weight": model.weight.item()}

    history = fit(
        model,
        line_data(),
        optimizer,
        tt.nn.MSELoss(),
        epochs=40,
        evaluate=evaluate,
        callbacks=[lambda history: seen.append(len(history.losses))],
        progress="a line",
    )
    assert model.training
    assert tt.is_grad_enabled()
    assert seen == list(range(1, 41))
    assert len(history.losses) == len(history.epochs) == 40
    assert history.losses[-1] < 1e-3 < history.losses[0]
    assert history["weight"][-1] == pytest.approx(2, abs=0.05)
    printed = capsys.readouterr()
    assert "a line" in printed.err
    assert "step    40" in printed.out
    assert "weight 2" in printed.out or "weight 1.9" in printed.out


def test_fit_is_quiet_when_told(capsys):
    model = tt.nn.Linear(1, 1)
    fit(
        model,
        line_data(),
        tt.optim.SGD(model.parameters(), lr=0.1),
        tt.nn.MSELoss(),
        progress=False,
    )
    assert capsys.readouterr() == ("", "")


def test_fit_steps_the_scheduler_and_clips():
    model = tt.nn.Linear(1, 1)
    before = model.weight.numpy().copy(), model.bias.numpy().copy()
    optimizer = tt.optim.SGD(model.parameters(), lr=1.0)
    scheduler = tt.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.0)
    fit(
        model,
        [(tt.tensor([[100.0]]), tt.tensor([[1e4]]))] * 3,
        optimizer,
        tt.nn.MSELoss(),
        scheduler=scheduler,
        max_norm=0.5,
        progress=False,
    )
    moved = [p.numpy() - b for p, b in zip(model.parameters(), before, strict=True)]
    assert math.hypot(*(m.item() for m in moved)) == pytest.approx(0.5, rel=1e-3)


def test_fit_stops_at_a_loss_that_is_not_finite():
    model = tt.nn.Linear(1, 1)
    data = [(tt.tensor([[1.0]]), tt.tensor([[0.0]])), (tt.tensor([[math.nan]]), tt.tensor([[0.0]]))]
    optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(FloatingPointError, match="the loss is nan in step 2"):
        fit(model, data, optimizer, tt.nn.MSELoss(), progress=False)


def test_fit_takes_loaders_without_a_length():
    model = tt.nn.Linear(1, 1)
    optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
    history = fit(model, iter(line_data() * 4), optimizer, tt.nn.MSELoss(), progress=True)
    assert len(history.losses) == 4


def test_recent_loss():
    assert math.isnan(History().recent_loss())
    assert History([9.0, 1.0, 3.0]).recent_loss(2) == 2.0


def test_evaluating_restores_the_mode_even_after_an_error():
    model = tt.nn.Dropout(0.5)
    with evaluating(model):
        assert not model.training
        assert not tt.is_grad_enabled()
    assert model.training

    def fail(model):
        with evaluating(model):
            raise KeyError

    with pytest.raises(KeyError):
        fail(model)
    assert model.training
    assert tt.is_grad_enabled()

    frozen = tt.nn.Sequential(tt.nn.Linear(2, 2), tt.nn.BatchNorm1d(2))
    frozen[1].eval()  # averages that are to stay as they are
    with evaluating(frozen):
        assert not frozen[0].training
    assert [module.training for module in frozen.modules()] == [True, True, False]


def test_frozen_parts_stay_frozen():
    x = tt.tensor(np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32))
    model = tt.nn.Sequential(tt.nn.BatchNorm1d(3), tt.nn.Linear(3, 1), tt.nn.Dropout(0.5))
    norm = next(model.children()).eval()
    before = norm.running_mean.numpy().copy()
    batches = [(x + 5, x[:, :1])]
    optimizer = tt.optim.SGD(model.parameters(), lr=0.01)
    fit(model, batches, optimizer, tt.nn.MSELoss(), 2, val=batches, progress=False)
    assert [module.training for module in model.modules()] == [True, False, True, True]
    np.testing.assert_array_equal(norm.running_mean.numpy(), before)


def test_predict_joins_batches():
    model = tt.nn.Sequential(tt.nn.Linear(3, 2), tt.nn.Dropout(0.9))
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    whole = predict(model, x)
    np.testing.assert_allclose(predict(model, x, batch_size=3), whole, rtol=1e-5, atol=1e-6)
    assert whole.shape == (7, 2)
    assert predict(model, x[:0]).shape == (0, 2)


def test_accuracy():
    assert accuracy([1, 2, 3, 3], [1, 2, 3, 4]) == 0.75
    assert accuracy(tt.tensor([[0.0, 1.0]]), tt.tensor([1])) == 1.0
    for outputs, labels in [([1, 2], [1]), ([], []), (np.ones((2, 2, 2)), [1, 2])]:
        with pytest.raises(ShapeError, match="accuracy"):
            accuracy(outputs, labels)


def test_confusion_matrix():
    matrix = confusion_matrix([0, 2, 2, 1], [0, 1, 2, 1], classes=4)
    assert matrix.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert confusion_matrix([], [], classes=2).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match=r"from -1 to 1, not in \[0, 2\)"):
        confusion_matrix([0, 1], [-1, 1])
    with pytest.raises(ShapeError, match=r"labels are \(2,\) and predicted \(1,\)"):
        confusion_matrix([0, 1], [0])
    with pytest.raises(DtypeError, match="must be integers, not float64"):
        confusion_matrix([0.5], [1])


class Uniform(tt.nn.Module):
    def forward(self, tokens):
        return tt.zeros((*tokens.shape, 8))


def test_bits_per_character_of_a_model_that_knows_nothing():
    x = tt.tensor(np.zeros((2, 5), np.int64))
    short = tt.tensor(np.zeros((1, 1), np.int64))
    assert bits_per_character(Uniform(), [(x, x), (short, short)]) == pytest.approx(3.0)
    assert next_token_loss(Uniform()(x), x).item() == pytest.approx(math.log(8))
    with pytest.raises(ValueError, match="no batches"):
        bits_per_character(Uniform(), [])


# --- Pictures --------------------------------------------------------------------------------


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    from tinytensor.viz import plot_confusion, plot_images, plot_losses

    figures = {
        "confusion": plot_confusion(np.diag([3, 0, 2]), names="abc", title="three classes"),
        "images": plot_images(np.ones((11, 1, 8, 8)), [str(i) for i in range(11)], columns=4),
        "no_images": plot_images(np.ones((0, 8, 8)), []),
        "losses": plot_losses([3.0, 2.0, 1.5], smooth=2),
        "no_losses": plot_losses([]),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert [text.get_text() for text in figures["confusion"].axes[0].texts] == ["3", "2"]
    assert len(figures["images"].axes) == 12
    with pytest.raises(ShapeError, match=r"must be \(C, C\)"):
        plot_confusion(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="2 names for 3 classes"):
        plot_confusion(np.eye(3, dtype=int), names="ab")
    with pytest.raises(ShapeError, match="1 captions for 2 images"):
        plot_images(np.ones((2, 8, 8)), ["a"])
    with pytest.raises(ShapeError, match=r"must be \(N, H, W\)"):
        plot_images(np.ones((2, 4, 8, 8)))


def test_a_missing_matplotlib_is_named(monkeypatch):
    from tinytensor.viz import plot_losses

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "tinytensor\[examples\]"'):
        plot_losses([1.0])


@pytest.mark.parametrize("optimizer", [None, tt.optim.SGD, 0.1])
def test_what_is_no_optimizer(optimizer):
    batches = [(tt.ones(3, 2), tt.ones(3, 2))]
    with pytest.raises(TypeError, match=r"fit: optimizer is a.*; one of optim, .* is needed"):
        fit(tt.nn.Linear(2, 2), batches, optimizer, tt.nn.MSELoss(), progress=False)
