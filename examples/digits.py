"""A small CNN reads real handwriting, on the split of scikit-learn's own digits example.

1,797 images of 8×8 pixels: the first half to train, the second to test, unshuffled. Beside it, in
the same run, the support vector classifier of that example:
https://scikit-learn.org/stable/auto_examples/classification/plot_digits_classification.html
"""

import argparse
import time

import numpy as np
from command import parse
from sklearn.datasets import load_digits
from sklearn.svm import SVC

import tinytensor as tt
from tinytensor.data import DataLoader, RandomAffine, TensorDataset
from tinytensor.models import DigitsCNN
from tinytensor.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from tinytensor.train import accuracy, fit, predict, report
from tinytensor.viz import plot_images

DISTORTION = {"degrees": 15, "shift": 1, "scale": 0.15, "shear": 0.15}


def train(
    images, labels, seed, epochs,
    network=DigitsCNN, lr=3e-3, batch_size=32, distortion=DISTORTION, **how,
):  # fmt: skip
    """A network trained from ``seed`` on images (N, 1, H, W), distorted anew in each epoch, and the
    history of that."""
    tt.manual_seed(seed)
    model = network()
    augment = RandomAffine(**distortion, generator=seed)
    dataset = TensorDataset(images, labels, transform=augment)
    loader = DataLoader(
        dataset, batch_size=batch_size, shuffle=True, drop_last=True, generator=seed
    )
    optimizer = tt.optim.AdamW(model.parameters(), lr=lr)
    steps = epochs * len(loader)
    rising = steps // 5
    warm_up = LinearLR(optimizer, 0.05, total_iters=rising)
    decay = CosineAnnealingLR(optimizer, steps - rising)
    scheduler = SequentialLR(optimizer, [warm_up, decay], [rising])
    loss = tt.nn.CrossEntropyLoss(label_smoothing=0.1)
    history = fit(
        model,
        loader,
        optimizer,
        loss,
        epochs,
        metrics=["accuracy"],
        scheduler=scheduler,
        progress=f"seed {seed}",
        **how,
    )
    return model, history


def load():
    """Images (N, 1, 8, 8) in [0, 1] and labels (N,): to train, and to test."""
    digits = load_digits()
    half = len(digits.images) // 2
    images = (digits.images / 16).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    return (images[:half], labels[:half]), (images[half:], labels[half:])


def pixels(images):
    """Of images in [0, 1] the numbers (N, 64) from 0 to 16 that scikit-learn's example has."""
    return 16 * images.reshape(len(images), -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many networks to train")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parse(parser, "one seed, three epochs")
    if arguments.quick:
        arguments.seeds, arguments.epochs = 1, 3

    (images, labels), (test_images, test_labels) = load()
    classifier = SVC(gamma=0.001).fit(pixels(images), labels)
    baseline = classifier.score(pixels(test_images), test_labels)

    scores, start = [], time.perf_counter()
    for seed in range(arguments.seeds):
        model, history = train(images, labels, seed, arguments.epochs)
        predicted = predict(model, test_images).argmax(1)
        scores.append(accuracy(predicted, test_labels))
        print(f"seed {seed}: {scores[-1]:.2%} of {len(test_labels)} test digits read correctly")
        if seed == 0:
            save(model, history, test_images, test_labels, predicted, arguments.out)
    seconds = time.perf_counter() - start

    print(f"\nCNN, mean of {len(scores)}: {np.mean(scores):.2%}   ({seconds:.0f} s)")
    print(f"support vector classifier: {baseline:.2%}")
    print(f"difference: {100 * (np.mean(scores) - baseline):+.2f} points")
    print(f"weights, report and picture of seed 0 are in {arguments.out}")


def save(model, history, images, labels, predicted, out):
    """Save the weights, a report of the training, and a picture of the digits that were misread."""
    tt.save(out / "digits.safetensors", model.state_dict())
    wrong = predicted != labels
    pairs = zip(labels[wrong], predicted[wrong], strict=True)
    captions = [f"{true} read as {read}" for true, read in pairs]
    plot_images(images[wrong], captions, columns=5).savefig(out / "digits_wrong.png", dpi=120)
    test = DataLoader(TensorDataset(images, labels), batch_size=256)
    loss = tt.nn.CrossEntropyLoss()
    report(history, model, test, out / "digits.html", loss=loss, title="Digits of 8×8 pixels")


if __name__ == "__main__":
    main()
