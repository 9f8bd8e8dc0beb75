"""ViT, BERT, T5 and Whisper beside transformers'. TINYTENSOR_CONFIGURATIONS=20 tries more sizes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import tinytensor as tt  # noqa: E402
from tinytensor.models import ViT, from_pretrained  # noqa: E402
from tinytensor.nn import functional as F  # noqa: E402

from .of_transformers import SEEDS, near, side_by_side  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

DTYPES = ("float64", "float32")


def sizes(rng, seed):
    """Heads and channels, odd ones among them."""
    heads = int(rng.integers(1, 5))
    return heads, heads * int(rng.integers(1, 6) * 2 + seed % 2)


# --- ViT ------------------------------------------------------------------------------------------


def vit(rng, seed, **more):
    heads, channels = sizes(rng, seed)
    patch = int(rng.integers(2, 5))
    return transformers.ViTConfig(
        image_size=patch * int(rng.integers(1, 4)) + int(rng.integers(patch)),
        patch_size=patch, num_channels=int(rng.integers(1, 4)), hidden_size=channels,
        num_hidden_layers=int(rng.integers(1, 4)), num_attention_heads=heads,
        intermediate_size=int(rng.integers(3, 30)), num_labels=int(rng.integers(2, 8)),
        hidden_act=("gelu", "relu", "gelu_new")[rng.integers(3)], qkv_bias=bool(rng.integers(2)),
        initializer_range=0.2, **more,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_vit(seed, dtype, tmp_path):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    config = vit(rng, seed)
    side = config.image_size
    images = rng.normal(size=(3, config.num_channels, side, side))
    labels = rng.integers(config.num_labels, size=3)

    def ours(model, dtype):
        logits = model(tt.tensor(images.astype(dtype)))
        return logits, F.cross_entropy(logits, tt.tensor(labels))

    def theirs(model, dtype):
        out = model(torch.tensor(images, dtype=dtype), labels=torch.tensor(labels))
        return out.logits, out.loss

    twin = transformers.ViTForImageClassification(config)
    model = side_by_side(ViT, twin, ours, theirs, tmp_path, dtype)
    assert model.config.num_labels == config.num_labels


def test_vit_of_other_sizes_and_its_pooler(tmp_path):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    twin = transformers.ViTModel(vit(rng, 1, pooler_output_size=5)).eval()
    twin.save_pretrained(tmp_path)
    model = from_pretrained(tmp_path)
    side = twin.config.image_size
    for size in ((side, side), (side + 3, 2 * side + 1)):
        images = rng.normal(size=(2, twin.config.num_channels, *size)).astype("float32")
        wanted = twin(torch.tensor(images), interpolate_pos_encoding=size != (side, side))
        found = model.vit(tt.tensor(images), interpolate_pos_encoding=True)
        near(found.numpy(), wanted.last_hidden_state.detach(), 1e-5)
        near(model.vit.pooler(found).numpy(), wanted.pooler_output.detach(), 1e-5)
    with pytest.raises(tt.ShapeError, match="unless interpolate_pos_encoding"):
        model(tt.tensor(images))
