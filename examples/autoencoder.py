"""A variational autoencoder puts handwritten digits on a plane, and writes new ones from it.

The 1,797 digits of scikit-learn, 8×8 pixels. Each becomes two numbers and is drawn again from these
alone; no label is used. Where it puts digits that it has not seen is the picture latent.png; how
well that tells them apart is measured by a nearest-neighbour classifier on the two numbers, beside
the same on the first two principal components, which are the best linear ones.

Kingma and Welling 2014, "Auto-encoding variational Bayes".
"""

import argparse
import time

import numpy as np
from command import parse
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import tinytensor as tt
from tinytensor.data import DataLoader, TensorDataset
from tinytensor.models import VAE, vae_loss
from tinytensor.nn.evaluating import evaluating
from tinytensor.optim.lr_scheduler import CosineAnnealingLR
from tinytensor.train import fit


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parse(parser, "ten epochs")
    epochs = 10 if arguments.quick else arguments.epochs

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    seen, unseen, seen_labels, labels = train_test_split(
        images, digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )
    tt.manual_seed(arguments.seed)
    model = VAE(1, 8, channels=(32, 64), latent=2)
    dataset = TensorDataset(seen, seen)  # the target is the picture itself
    loader = DataLoader(dataset, batch_size=64, shuffle=True, generator=arguments.seed)
    optimizer = tt.optim.Adam(model.parameters(), lr=3e-3)
    schedule = CosineAnnealingLR(optimizer, epochs * len(loader))
    start = time.perf_counter()
    fit(model, loader, optimizer, vae_loss, epochs, scheduler=schedule, progress="VAE")
    seconds = time.perf_counter() - start

    with evaluating(model):
        bound = vae_loss(model(tt.tensor(unseen)), tt.tensor(unseen)).item()
        plane, seen_plane = (model.encode(tt.tensor(x))[0].numpy() for x in (unseen, seen))
        drawn = model.decode(tt.tensor(plane)).numpy()
    linear = PCA(2).fit(seen.reshape(len(seen), -1))
    flat, seen_flat = (x.reshape(len(x), -1) for x in (unseen, seen))
    redrawn = linear.inverse_transform(linear.transform(flat)).reshape(unseen.shape)
    print(f"{epochs} epochs in {seconds:.0f} s; of {len(unseen)} digits never seen:")
    print(f"   -log p(x) is at most {bound:.2f} nats")
    for name, rebuilt, codes, seen_codes in [
        ("autoencoder", drawn, plane, seen_plane),
        ("principal components", redrawn, linear.transform(flat), linear.transform(seen_flat)),
    ]:
        error = float(((rebuilt - unseen) ** 2).mean() ** 0.5)
        neighbours = KNeighborsClassifier(5).fit(seen_codes, seen_labels)
        score = neighbours.score(codes, labels)
        print(f"   two numbers of the {name}: error {error:.3f}, digit told in {score:.1%}")
    tt.save(arguments.out / "autoencoder.safetensors", model.state_dict())
    picture(model, plane, labels).savefig(arguments.out / "latent.png", dpi=80)
    print(f"the plane is drawn in {arguments.out / 'latent.png'}")


def picture(model, plane, labels, cells=16, reach=2.2):
    """Where digits are on the plane, and what the network draws at every place of it."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    places, drawn = figure.subplots(1, 2)
    dots = places.scatter(*plane.T, c=labels, cmap="tab10", s=14, vmin=-0.5, vmax=9.5)
    figure.colorbar(dots, ax=places, ticks=range(10))
    places.set(title="digits never seen, by their two numbers", xlabel="z₁", ylabel="z₂")
    steps = np.linspace(-reach, reach, cells, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps[::-1]), -1).reshape(-1, 2)
    with evaluating(model):
        images = model.decode(tt.tensor(grid)).numpy().reshape(cells, cells, 8, 8)
    drawn.imshow(
        images.transpose(0, 2, 1, 3).reshape(cells * 8, cells * 8),
        cmap="gray_r",
        extent=(-reach, reach, -reach, reach),
    )
    drawn.set(title="what is written at each place", xlabel="z₁", ylabel="z₂")
    return figure


if __name__ == "__main__":
    main()
