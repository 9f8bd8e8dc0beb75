"""Feature maps, saliency, integrated gradients and Grad-CAM against formulas by hand."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn, viz
from tinytensor.errors import ShapeError
from tinytensor.models import LeNet

pytestmark = pytest.mark.no_c

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 2, 6, 5)).astype(np.float32)


@pytest.fixture
def model():
    """A convolution, means over all places, a linear layer: what Grad-CAM was generalised from."""
    tt.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(4, 3),
    )


def test_feature_maps_are_what_the_layers_give(model):
    found = viz.feature_maps(model, X)
    assert list(found) == ["0", "1"]
    np.testing.assert_array_equal(found["0"], model[0](tt.tensor(X)).detach())
    assert viz.feature_maps(model, X, "4")["4"].shape == (3, 3)
    assert list(viz.feature_maps(model, X, ["2", "0"])) == ["0", "2"]  # as they were called
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    with pytest.raises(AttributeError, match="9"):
        viz.feature_maps(model, X, "9")
    with pytest.raises(TypeError, match="the output of 0 is tuple"):
        viz.feature_maps(nn.Sequential(nn.LSTM(5, 2)), X[0], "0")


def test_saliency_of_a_linear_model_is_its_weight(model):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(60, 3))
    slopes = np.abs(linear[1].weight.detach().numpy().reshape(3, 2, 6, 5)).max(1)
    np.testing.assert_allclose(viz.saliency(linear, X, 1), slopes[[1, 1, 1]])
    np.testing.assert_allclose(viz.saliency(linear, X, [2, 0, 1]), slopes[[2, 0, 1]])
    likeliest = linear(tt.tensor(X)).detach().numpy().argmax(1)
    np.testing.assert_allclose(viz.saliency(linear, tt.tensor(X)), slopes[likeliest])
    smooth = viz.saliency(linear, X, 1, samples=3, generator=0)
    np.testing.assert_allclose(smooth, slopes[[1, 1, 1]], rtol=1e-5)
    assert linear[1].weight.grad is None
    with tt.no_grad():  # and where all weights are fixed
        linear.requires_grad_(False)
        np.testing.assert_allclose(viz.saliency(linear, X, 1), slopes[[1, 1, 1]])


def test_saliency_of_a_function_of_the_output():
    found = viz.saliency(nn.Identity(), X, lambda out: out**2)
    np.testing.assert_allclose(found, np.abs(2 * X).max(1))
    # The mean slope of x² under noise is that without, and the noise is a share of the range.
    many = viz.saliency(nn.Identity(), X, lambda out: out**2, samples=400, generator=0)
    spread = 0.15 * np.ptp(X, axis=(1, 2, 3)) * 2 / 400**0.5
    assert (np.abs(many - np.abs(2 * X).max(1)).max((1, 2)) < 4.5 * spread).all()
    np.testing.assert_array_equal(
        many, viz.saliency(nn.Identity(), X, lambda out: out**2, samples=400, generator=0)
    )


def test_integrated_gradients_add_up_to_the_difference(model):
    tt.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(36, 4)).double()
    x, start = X.astype(np.float64), np.full((2, 6, 5), 0.3)
    found = viz.integrated_gradients(net, x, 2, baseline=start, steps=200)
    scores = [net(tt.tensor(np.broadcast_to(i, x.shape).copy())).detach()[:, 2] for i in (x, start)]
    np.testing.assert_allclose(found.sum((1, 2, 3)), scores[0] - scores[1], rtol=1e-3, atol=1e-5)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(60, 3))
    weight = linear[1].weight.detach().numpy()[1].reshape(2, 6, 5)
    found = viz.integrated_gradients(linear, X, 1, steps=2)
    np.testing.assert_allclose(found, weight * X, rtol=1e-5, atol=1e-7)


def test_grad_cam_of_means_is_the_maps_by_their_weights(model):
    maps = viz.feature_maps(model, X, "0")["0"]
    weights = model[4].weight.detach().numpy()
    for target in (0, [0, 1, 2]):
        chosen = weights[np.broadcast_to(target, 3)]
        by_hand = np.einsum("nk,nkhw->nhw", chosen, maps) / 30
        found = viz.grad_cam(model, X, "0", target, relu=False)
        np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-6)
        found = viz.grad_cam(model, X, model[0], target)
        np.testing.assert_allclose(found, np.maximum(by_hand, 0), rtol=1e-4, atol=1e-6)
    model.requires_grad_(False)
    np.testing.assert_allclose(viz.grad_cam(model, X, "0", [0, 1, 2], relu=False), by_hand, 1e-4)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_grad_cam_has_the_size_of_the_images():
    images = RNG.random((2, 1, 28, 28)).astype(np.float32)
    small = viz.grad_cam(LeNet(), images, "conv2", 3, resize=False)
    assert small.shape == (2, 10, 10)
    assert viz.grad_cam(LeNet(), images, "conv2", 3).shape == (2, 28, 28)
    with pytest.raises(ShapeError, match=r"fc1 gives \(2, 120\), not maps"):
        viz.grad_cam(LeNet(), images, "fc1")
    with pytest.raises(ValueError, match="the Linear given for layer is not in the model"):
        viz.grad_cam(LeNet(), images, nn.Linear(1, 1))


def test_bad_input(model):
    for function in (viz.saliency, viz.integrated_gradients):
        with pytest.raises(ShapeError, match=r"must be images \(N, C, H, W\) of floats"):
            function(model, X[0])
        with pytest.raises(ShapeError, match="of floats"):
            function(model, X.astype(np.int64))
    with pytest.raises(ShapeError, match="a class is one of an output"):
        viz.saliency(model[0], X, 1)
    with pytest.raises(ValueError, match="samples"):
        viz.saliency(model, X, samples=0)
    with pytest.raises(ValueError, match="steps"):
        viz.integrated_gradients(model, X, steps=0)


def test_maps_are_drawn():
    pytest.importorskip("matplotlib")
    maps = np.abs(X[:, 0])
    figure = viz.plot_maps(maps, X[:, :1], ["a", "b", "c"], columns=2, title="t")
    assert [len(axes.images) for axes in figure.axes] == [2, 2, 2, 0]
    np.testing.assert_array_equal(figure.axes[1].images[1].get_array(), maps[1])
    alone = viz.plot_maps(maps)
    assert [len(axes.images) for axes in alone.axes] == [1, 1, 1, 0, 0, 0, 0, 0]
    coloured = viz.plot_images(RNG.random((2, 3, 4, 4)))
    assert coloured.axes[0].images[0].get_array().shape == (4, 4, 3)
    with pytest.raises(ShapeError, match=r"maps must be \(N, H, W\)"):
        viz.plot_maps(X)
    with pytest.raises(ShapeError, match="3 maps for 2 images"):
        viz.plot_maps(maps, X[:2, :1])
    with pytest.raises(ShapeError, match="plot_maps: 1 captions for 3 maps"):
        viz.plot_maps(maps, captions=["a"])


def test_alignments_are_drawn():
    pytest.importorskip("matplotlib")
    weights = [np.full((3, 4), 0.25), np.eye(2)]  # the first has one column of padding
    figure = viz.plot_alignments(weights, ["abc", ["to", "him"]], ["xyz", ["ihm", "zu"]], title="t")
    drawn = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    np.testing.assert_array_equal(drawn[0], weights[0][:, :3])
    np.testing.assert_array_equal(drawn[1], weights[1])
    labels = [[label.get_text() for label in axes.get_xticklabels()] for axes in figure.axes]
    assert labels == [["a", "b", "c"], ["to", "him"]]
    assert [t.get_text() for t in figure.axes[1].get_yticklabels()] == ["ihm", "zu"]
    odd = viz.plot_alignments([np.eye(2)] * 3, ["ab"] * 3, ["ab"] * 3)
    assert [len(axes.images) for axes in odd.axes] == [1, 1, 1, 0]
    viz.plot_alignments([], [], [])
    with pytest.raises(ShapeError, match="2 weights, 1 sources and 2 targets"):
        viz.plot_alignments(weights, ["abc"], ["xyz", "ab"])
    with pytest.raises(ShapeError, match=r"weights 0 are \(3, 4\), of tokens \(3, 5\)"):
        viz.plot_alignments(weights[:1], ["abcde"], ["xyz"])
