"""Models of images: what they give, how they learn, and what they refuse."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import models, nn
from tinytensor.errors import ShapeError
from tinytensor.models import (
    VAE,
    Autoencoder,
    CNBlockConfig,
    ConvNeXt,
    StochasticDepth,
    UNet,
    vae_loss,
)
from tinytensor.models.vision.blocks import divisible


def size(model):
    return sum(parameter.size for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_689_512),
        ("mobilenet_v2", 3_504_872),
        ("convnext_tiny", 28_589_128),
        ("resnet32", 466_906),
        ("resnet56", 855_770),
    ],
)
def test_sizes(name, parameters):
    assert size(getattr(models, name)()) == parameters


def test_settings_of_resnets():
    dense = models.ResNet(
        models.Bottleneck, (1, 1, 1, 1), replace_stride_with_dilation=(False, True, True)
    )
    x = dense.maxpool(dense.relu(dense.bn1(dense.conv1(tt.zeros((2, 3, 64, 64))))))
    for stage, side in zip(("layer1", "layer2", "layer3", "layer4"), (16, 8, 8, 8), strict=True):
        x = getattr(dense, stage)(x)
        assert x.shape[-2:] == (side, side)
    still = models.resnet18(zero_init_residual=True, num_classes=3)
    block = still.layer1[0]
    x = tt.rand((2, 64, 4, 4))
    np.testing.assert_array_equal(block(x), x)
    grouped = models.resnet18(norm_layer=lambda channels: nn.BatchNorm2d(channels, momentum=0.5))
    assert {m.momentum for m in grouped.modules() if isinstance(m, nn.BatchNorm2d)} == {0.5}
    with pytest.raises(ValueError, match="a Bottleneck takes others"):
        models.resnet18(groups=2)
    with pytest.raises(ValueError, match="four numbers of blocks"):
        models.ResNet(models.BasicBlock, (1, 2))
    with pytest.raises(TypeError, match="block is BasicBlock or Bottleneck"):
        models.ResNet(nn.Linear, (1, 1, 1, 1))
    with pytest.raises(ValueError, match="layers"):
        models.ResNet(models.BasicBlock, (1, 1, 1, 0))


def test_weights_are_a_state_or_a_file(tmp_path):
    state = models.mobilenet_v2(width_mult=0.25, num_classes=3).state_dict()
    tt.save(tmp_path / "weights.safetensors", state)
    for weights in (state, tmp_path / "weights.safetensors", str(tmp_path / "weights.safetensors")):
        again = models.mobilenet_v2(width_mult=0.25, num_classes=3, weights=weights).state_dict()
        for name in state:
            np.testing.assert_array_equal(again[name], state[name])
    with pytest.raises(FileNotFoundError, match="no file 'DEFAULT', and nothing is downloaded"):
        models.mobilenet_v2(weights="DEFAULT")


def test_channels_of_mobilenets():
    for value, expected in [(32 * 0.5, 16), (24 * 0.5, 16), (16 * 0.35, 8), (18.9, 24), (3, 8)]:
        assert divisible(value) == expected
    with pytest.raises(ShapeError, match="rows of"):
        models.MobileNetV2(inverted_residual_setting=[(1, 2, 3)])
    with pytest.raises(ValueError, match="stride is 1 or 2"):
        models.MobileNetV2(inverted_residual_setting=[(1, 16, 1, 3)])


def test_stochastic_depth():
    tt.manual_seed(0)
    x = tt.ones((4000, 2, 3), requires_grad=True)
    rows = StochasticDepth(0.2, "row")
    out = rows(x)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad, out.detach())
    out = out.detach()
    assert (out.numpy() == out.numpy()[:, :1, :1]).all()
    assert set(np.unique(out)) == {0, np.float32(1.25)}
    assert (out.numpy() == 0).mean() == pytest.approx(0.2, abs=0.03)
    draws = [StochasticDepth(0.5, "batch")(tt.ones((3, 2))).numpy() for _ in range(100)]
    assert all(len(np.unique(draw)) == 1 for draw in draws)
    assert 20 < sum(draw[0, 0] == 0 for draw in draws) < 80
    assert rows.eval()(x) is x
    x = x.detach()
    assert not StochasticDepth(1.0, "row")(x).numpy().any()
    for bad in ((1.5, "row"), (0.5, "rows")):
        with pytest.raises(ValueError, match="StochasticDepth"):
            StochasticDepth(*bad)


def test_stochastic_depth_rises_to_the_last_block():
    model = ConvNeXt([CNBlockConfig(4, 8, 2), CNBlockConfig(8, None, 3)], 0.4)
    found = [m.p for m in model.modules() if isinstance(m, StochasticDepth)]
    assert found == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    one = ConvNeXt([CNBlockConfig(4, None, 1)], 0.4, num_classes=2)
    assert one(tt.zeros((1, 3, 8, 8))).shape == (1, 2)
    with pytest.raises(TypeError, match="block_setting is CNBlockConfigs"):
        ConvNeXt([(4, 8, 2)])


@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize("shape", [(16, 16), (17, 30), (8, 11)])
def test_unet_keeps_the_sizes(bilinear, shape):
    model = UNet(2, 3, channels=4, depth=3, bilinear=bilinear)
    out = model(tt.zeros((2, 2, *shape)))
    assert out.shape == (2, 3, *shape)
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_settings_of_unets():
    assert size(UNet(1, 2)) == size(UNet(1, 2, channels=(64, 128, 256, 512, 1024)))
    assert UNet(1, 2, channels=(3, 5, 4), norm_layer=None).depth == 2
    assert UNet(1, 2, channels=4, depth=0)(tt.zeros((2, 1, 1, 1))).shape == (2, 2, 1, 1)
    with pytest.raises(ValueError, match="channels has 3 levels, and depth is 4"):
        UNet(channels=(1, 2, 3), depth=4)
    with pytest.raises(ShapeError, match="at least 16, to be halved 4 times"):
        UNet(channels=4)(tt.zeros((1, 3, 8, 64)))


def test_unet_learns_what_is_inside():
    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:16, :16]
    centres = rng.uniform(4, 12, size=(8, 2, 1, 1))
    inside = ((rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < 9).astype(np.float32)
    images = inside + rng.normal(0, 0.3, inside.shape).astype(np.float32)
    x, y = tt.tensor(images[:, None].astype(np.float32)), tt.tensor(inside[:, None])
    model = UNet(1, 1, channels=4, depth=2)
    optimizer = tt.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        loss.backward()
        optimizer.step()
    assert ((model(x).numpy() > 0) == (inside[:, None] > 0)).mean() > 0.98


@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (5, 1)])
def test_autoencoders_give_the_sizes_back(shape):
    x = tt.rand((3, 2, *shape))
    plain = Autoencoder(2, shape, channels=(4, 6), latent=3)
    assert plain.encode(x).shape == (3, 3)
    out = plain(x).numpy()
    assert out.shape == x.shape
    assert 0 <= out.min() <= out.max() <= 1
    variational = VAE(2, shape, channels=(4, 6), latent=3)
    logits, mean, log_variance = variational(x)
    assert (logits.shape, mean.shape, log_variance.shape) == (x.shape, (3, 3), (3, 3))
    assert variational.sample(4, generator=0).shape == (4, 2, *shape)
    np.testing.assert_array_equal(
        variational.sample(4, generator=0), variational.sample(4, generator=0)
    )
    with pytest.raises(ShapeError, match=r"VAE: x must be \(N, 2, "):
        variational(tt.zeros((3, 1, *shape)))


def test_a_vae_draws_in_training_alone():
    tt.manual_seed(0)
    model, x = VAE(1, 4, channels=(4,), latent=2), tt.rand((2, 1, 4, 4))
    assert (model(x).logits.numpy() != model(x).logits.numpy()).any()
    model.eval()
    np.testing.assert_array_equal(model(x).logits, model(x).logits)
    np.testing.assert_array_equal(model(x).logits, model.decode(model.encode(x)[0], logits=True))
    model.train()
    vae_loss(model(x), x).backward()
    assert all(parameter.grad.numpy().any() for parameter in model.parameters())


def test_vae_loss_is_the_bound():
    rng = np.random.default_rng(0)
    logits, x = rng.normal(size=(3, 1, 2, 2)), rng.random((3, 1, 2, 2))
    mean, log_variance = rng.normal(size=(2, 3, 4))
    p = 1 / (1 + np.exp(-logits))
    bits = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2, 3))
    # ∫ q log (q / p) of each number, over a fine grid
    z, step = np.linspace(-30, 30, 60_001, retstep=True)
    deviation = np.exp(log_variance / 2)[..., None]
    log_q = -(((z - mean[..., None]) / deviation) ** 2) / 2 - np.log(deviation)
    q = np.exp(log_q) / np.sqrt(2 * np.pi)
    divergence = (q * (log_q + z**2 / 2)).sum(-1) * step
    out = models.VAEOutput(*map(tt.tensor, (logits, mean, log_variance)))
    for beta in (1.0, 4.0):
        each = bits + beta * divergence.sum(1)
        for reduction, expected in (("none", each), ("mean", each.mean()), ("sum", each.sum())):
            np.testing.assert_allclose(vae_loss(out, tt.tensor(x), beta, reduction), expected)
    with pytest.raises(ValueError, match="reduction"):
        vae_loss(out, tt.tensor(x), reduction="max")
    with pytest.raises(ShapeError, match="its logits are"):
        vae_loss(out, tt.tensor(x[:1]))
