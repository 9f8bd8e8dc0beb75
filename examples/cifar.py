"""ResNet-20 on CIFAR-10, as in section 4.2 of He et al. 2015, from files that are on the disk.

    python examples/cifar.py cifar-10-batches-bin     # or cifar-10-batches-py: binary or pickles
    python examples/cifar.py cifar-10-batches-bin     # after a stop or a kill: goes on, bitwise
    mpiexec -n 2 python examples/cifar.py cifar-10-batches-bin     # on two processes

Pictures are cropped at random out of a border of four pixels, and mirrored; SGD with momentum, as
in the paper, with a cosine in the place of its steps. What a run needs to go on, and the best
network so far, are in the folder ``--out`` after each epoch. Any number of processes goes on from
there: they share each batch, and batch norm is over all of it, so losses are those of one process.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

import numpy as np

import tinytensor as tt
from tinytensor import distributed
from tinytensor.data import (
    Compose,
    DataLoader,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    cifar10,
)
from tinytensor.distributed import DistributedBatches, DistributedDataParallel, SyncBatchNorm
from tinytensor.models import resnet20
from tinytensor.optim.lr_scheduler import CosineAnnealingLR
from tinytensor.train import Checkpoint, CSVLog, confusion_matrix, fit, predict
from tinytensor.viz import plot_confusion, plot_losses

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training pictures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", type=Path, help="the folder of CIFAR-10's files")
    parser.add_argument("--epochs", type=int, default=160)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--workers", type=int, default=1, help="threads that prepare batches")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--quick", action="store_true", help="two epochs on files made for it")
    parser.add_argument("--threads", type=int, help="default: one for each core")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out" / "cifar")
    arguments = parser.parse_args()
    distributed.init()
    if distributed.rank():
        sys.stdout = io.StringIO()  # the first process prints for all
    if arguments.threads:
        tt.set_num_threads(arguments.threads)
    tt.set_default_dtype(getattr(tt, arguments.dtype))
    if not arguments.quick:
        if arguments.data is None:
            sys.exit("cifar.py: name the folder of CIFAR-10's files, binary or pickles")
        train(arguments, arguments.epochs)
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(distributed.broadcast_object(folder))
        arguments.data, arguments.out = folder, folder / "out"
        arguments.epochs, arguments.batch, arguments.lr = 2, 16, 0.03
        if distributed.rank() == 0:
            write_stripes(arguments.data)
        distributed.barrier()
        for epochs in (1, 2):  # the second run goes on from where the first one has stopped
            train(arguments, epochs)
        distributed.barrier()  # before the folder goes


def train(arguments, epochs):
    """Train for ``epochs`` epochs in all, from the last checkpoint if there is one."""
    out, seed = arguments.out, arguments.seed
    tt.manual_seed(seed)
    normal = Normalize(MEAN, STD)
    augment = Compose(
        [RandomCrop(32, padding=4, generator=seed), RandomHorizontalFlip(generator=seed), normal]
    )
    seen, unseen = (cifar10(arguments.data, train=train) for train in (True, False))
    loader = DataLoader(
        seen,
        batch_size=arguments.batch,
        shuffle=True,
        drop_last=True,
        num_workers=arguments.workers,
        generator=seed,
        transform=augment,
    )
    val = DataLoader(unseen, batch_size=256, transform=normal)
    network = resnet20()
    model = DistributedDataParallel(SyncBatchNorm.convert_sync_batchnorm(network))
    optimizer = tt.optim.SGD(
        model.parameters(), lr=arguments.lr, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    schedule = CosineAnnealingLR(optimizer, arguments.epochs * len(loader))
    history = fit(
        model,
        DistributedBatches(loader),
        optimizer,
        tt.nn.CrossEntropyLoss(),
        epochs,
        val=val,
        metrics=["accuracy"],
        scheduler=schedule,
        callbacks=[Checkpoint(out, "val_accuracy"), CSVLog(out / "epochs.csv")],
        forward=lambda model, batch: (model(batch[0].astype(arguments.dtype)), batch[1]),
        resume=True,
        progress="ResNet-20",
    )
    print(f"epoch {len(history.epochs)}: {history['val_accuracy'][-1]:.2%} of the test pictures")
    if history.stopped or distributed.rank():
        return
    history.to_json(out / "history.json")
    images, labels = unseen.batch(np.arange(len(unseen)))
    pictures = normal(np.asarray(images)).astype(arguments.dtype)
    predicted = predict(network, pictures).argmax(1)
    matrix = confusion_matrix(np.asarray(labels), predicted, 10)
    plot_confusion(matrix, NAMES).savefig(out / "confusion.png", dpi=100)
    plot_losses(history.losses).savefig(out / "losses.png", dpi=100)
    print(f"checkpoints, epochs.csv, history.json and two pictures are in {out}")


def write_stripes(folder, each=96):
    """Binary files as CIFAR-10's, of stripes whose direction is their class, in random colours."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        records = np.empty((each, 1 + 3 * 32 * 32), np.uint8)
        for record in records:
            record[0] = rng.integers(10)
            angle = record[0] * np.pi / 10
            across = rows * np.sin(angle) + columns * np.cos(angle)
            wave = np.sin(0.9 * across + rng.uniform(0, 6))
            colour = rng.uniform(30, 100, (3, 1, 1))
            record[1:] = (127 + wave * colour).astype(np.uint8).ravel()
        records.tofile(folder / f"{name}.bin")


if __name__ == "__main__":
    main()
