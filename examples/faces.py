"""Find faces and their landmarks with MTCNN's published weights; or train networks on faces.

    pip download --no-deps facenet-pytorch          # a wheel of 2 MB, which carries the weights
    python examples/faces.py PHOTO.jpg              # boxes and landmarks, printed and drawn
    python examples/faces.py --train                # faces from other patches, on 200 of them
    python examples/faces.py --train FOLDER         # are two pictures of one person?

Without PHOTO the picture is scikit-image's of the astronaut Eileen Collins. The weights are looked
for in the package facenet-pytorch, if it is installed, and in its wheel, if one lies here.
FOLDER holds a folder of pictures for each person, as "Labeled faces in the wild" and the Olivetti
faces do. The network that compares two of them learns by triplets: a picture should be nearer to
the farthest of the same person than to the nearest of another one (Schroff, Kalenichenko and
Philbin 2015, "FaceNet"; Hermans, Beyer and Leibe 2017, "In defense of the triplet loss").
"""

import argparse
import json
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from command import parse
from PIL import Image, ImageDraw, ImageOps
from skimage.data import astronaut, lfw_subset
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

import tinytensor as tt
from tinytensor import nn
from tinytensor.data import DataLoader, ImageFolder, RandomAffine, TensorDataset, read_image
from tinytensor.models import MTCNN, ConvNormActivation
from tinytensor.optim.lr_scheduler import CosineAnnealingLR
from tinytensor.train import fit, predict
from tinytensor.viz import grad_cam, plot_maps

LANDMARKS = ("left eye", "right eye", "nose", "left of mouth", "right of mouth")
SIDE = 48  # of the pictures that are compared

# --- Finding faces -----------------------------------------------------------------------------


def weights_on_this_machine():
    """The installed package's folder, or a wheel in this folder; None if there is neither."""
    package = find_spec("facenet_pytorch")
    if package is not None:
        return Path(package.origin).parent
    return next(iter(sorted(Path().glob("facenet_pytorch-*.whl"), reverse=True)), None)


def find_faces(image, weights, out, as_json):
    """Print the faces of a picture, and write it with their boxes and landmarks drawn."""
    picture = Image.fromarray(astronaut()) if image is None else Image.open(image)
    picture = ImageOps.exif_transpose(picture).convert("RGB")
    model = MTCNN(weights=weights)
    start = time.perf_counter()
    faces = model.detect(picture)
    seconds = time.perf_counter() - start
    path = out / "faces.png"
    drawn(picture, faces).save(path)
    found = [
        {
            "box": box.round(2).tolist(),
            "probability": round(float(probability), 6),
            "landmarks": dict(zip(LANDMARKS, points.round(2).tolist(), strict=True)),
        }
        for box, probability, points in zip(*map(to_float64, faces), strict=True)
    ]
    if as_json:
        name = "astronaut" if image is None else str(image)
        print(json.dumps({"image": name, "drawn": str(path), "faces": found}, indent=2))
        return
    count = f"{len(found)} face{'s' * (len(found) != 1)}"
    print(f"{count} in {picture.width}×{picture.height} pixels   ({seconds:.2f} s)")
    for face in found:
        print(f"box {face['box']}, probability {face['probability']:.4%}")
        print("   " + ", ".join(f"{name} {point}" for name, point in face["landmarks"].items()))
    print(f"drawn in {path}")


def to_float64(values):
    return values.astype(np.float64)


def drawn(picture, faces):
    """A copy of the picture with what was found."""
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    width = max(2, min(picture.size) // 200)
    for box, _, points in zip(*faces, strict=True):
        draw.rectangle(box.tolist(), outline=(255, 200, 0), width=width)
        for x, y in points.tolist():
            draw.ellipse((x - width, y - width, x + width, y + width), fill=(0, 220, 120))
    return picture


# --- Faces and other patches -------------------------------------------------------------------


def tell_faces(epochs, folds, out):
    """Print how many of 200 patches, each judged by a network that has not seen it, are told."""
    images = lfw_subset().astype(np.float32)[:, None]  # (200, 1, 25, 25)
    labels = np.repeat([1, 0], 100)
    right, right_svm = 0, 0
    splits = StratifiedKFold(5, shuffle=True, random_state=0).split(images, labels)
    judged = 0
    for seed, (seen, unseen) in enumerate(splits):
        if seed == folds:
            break
        tt.manual_seed(seed)
        model = nn.Sequential(
            ConvNormActivation(1, 16),
            ConvNormActivation(16, 32, stride=2),
            ConvNormActivation(32, 64, stride=2),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(256, 2),
        )
        augment = RandomAffine(degrees=10, shift=2, scale=0.1, generator=seed)
        train(model, images[seen], labels[seen], augment, seed, epochs)
        right += (predict(model, images[unseen]).argmax(1) == labels[unseen]).sum()
        if seed == 0:
            draw_looks(model, images[unseen], labels[unseen], out / "faces_looks.png")
        flat = images.reshape(len(images), -1)
        svm = SVC().fit(flat[seen], labels[seen])
        right_svm += (svm.predict(flat[unseen]) == labels[unseen]).sum()
        judged += len(unseen)
    print(f"faces told from other patches: {right / judged:.1%} of {judged}")
    print(f"support vector classifier, same splits: {right_svm / judged:.1%}")


def draw_looks(model, images, labels, path):
    """Faces that the network has not seen, and where it finds that they are faces."""
    faces = images[labels == 1][:16]
    heat = grad_cam(model, faces, "2", 1)  # the last convolution; class 1
    plot_maps(heat, faces).savefig(path, dpi=60)


def train(model, images, labels, augment, seed, epochs):
    dataset = TensorDataset(images, labels, transform=augment)
    loader = DataLoader(dataset, batch_size=16, shuffle=True, drop_last=True, generator=seed)
    optimizer = tt.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    scheduler = CosineAnnealingLR(optimizer, epochs * len(loader))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    fit(model, loader, optimizer, loss, epochs, scheduler=scheduler, progress=f"fold {seed}")


# --- One person or two -------------------------------------------------------------------------


def read_people(folder, middle):
    """Grey pictures (N, 1, SIDE, SIDE) in [0, 1] of all people with two of them or more, and whose
    each is, as a number. ``middle`` is the share of a side, around the centre, that counts."""

    def face(path):
        picture = Image.fromarray(read_image(path, "L")[0])
        return ImageOps.fit(picture, (SIDE, SIDE), bleed=(1 - middle) / 2)

    found = ImageFolder(folder, loader=face)
    counts = np.bincount(found.targets)
    samples = [found[i] for i, person in enumerate(found.targets) if counts[person] > 1]
    if len({person for _, person in samples}) < 4:
        sys.exit(f"faces.py: in {folder} there are not four people with two pictures or more")
    images = np.stack([np.asarray(picture, np.float32) / 255 for picture, _ in samples])
    people = np.unique([person for _, person in samples], return_inverse=True)[1]
    return images[:, None], people


class Embedding(nn.Module):
    """Pictures (N, 1, H, W) → unit vectors (N, size), near each other for one person."""

    def __init__(self, size=64):
        super().__init__()
        widths = (1, 16, 32, 64, 128)
        layers = [ConvNormActivation(a, b, stride=2) for a, b in pairwise(widths)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(512, size)

    def forward(self, x):
        return nn.functional.normalize(self.head(self.features(x)))


def hardest_triplets(vectors, people):
    """For each picture the farthest of the same person, and the nearest of another: indices."""
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    same = people[:, None] == people
    return np.where(same, distances, -1).argmax(1), np.where(same, 9, distances).argmin(1)


def triplet_loss(vectors, people):
    far, near = hardest_triplets(vectors.detach().numpy(), people.numpy())
    return nn.functional.triplet_margin_loss(vectors, vectors[far], vectors[near], margin=0.3)


class PeopleBatches:
    """Batches of ``count`` people with four pictures each, drawn anew in every epoch."""

    def __init__(self, images, people, count, steps, seed):
        self.images, self.people, self.count, self.steps = images, people, count, steps
        self.rng = np.random.default_rng(seed)
        self.augment = RandomAffine(degrees=8, shift=3, scale=0.1, generator=seed)
        self.those = np.unique(people)

    def __len__(self):
        return self.steps

    def __iter__(self):
        for _ in range(self.steps):
            who = self.rng.choice(self.those, min(self.count, len(self.those)), replace=False)
            where = [self.rng.choice(np.flatnonzero(self.people == p), 4) for p in who]
            places = np.concatenate(where)
            images = self.augment(self.images[places])
            flipped = self.rng.random(len(images)) < 0.5
            images[flipped] = images[flipped, :, :, ::-1]
            yield tt.tensor(images), tt.tensor(self.people[places])


def compare_people(folder, middle, epochs, steps, out):
    """Train an embedding on three quarters of the people, and judge pairs of the others by it."""
    images, people = read_people(folder, middle)
    rng = np.random.default_rng(0)
    names = rng.permutation(people.max() + 1)
    unseen = np.isin(people, names[: max(2, len(names) // 4)])
    tt.manual_seed(0)
    model = Embedding()
    batches = PeopleBatches(images[~unseen], people[~unseen], 12, steps, seed=0)
    optimizer = tt.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = CosineAnnealingLR(optimizer, epochs * steps)
    fit(model, batches, optimizer, triplet_loss, epochs, scheduler=scheduler, progress="triplets")
    vectors = predict(model, images)
    pixels = images.reshape(len(images), -1)
    pixels = pixels - pixels.mean(1, keepdims=True)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    print(f"{len(images)} pictures of {len(names)} people; pairs of people never seen:")
    for name, codes in (("triplet embedding", vectors), ("pixels", pixels)):
        limit, _ = best_limit(*pair_distances(codes[~unseen], people[~unseen]))
        distances, same = pair_distances(codes[unseen], people[unseen])
        score = balanced(distances < limit, same)
        order = np.argsort(np.argsort(distances))
        count = same.sum()
        area = 1 - (order[same].sum() - count * (count - 1) / 2) / (count * (~same).sum())
        print(f"   {name}: {score:.1%} right, area under the curve {area:.3f}")
    tt.save(out / "faces_embedding.safetensors", model.state_dict())


def pair_distances(codes, people, most=2000):
    """The distances of all pairs of unit vectors, of so many at most, and whether both are of one
    person."""
    codes, people = codes[:most], people[:most]
    one, other = np.triu_indices(len(codes), 1)
    cosines = (codes @ codes.T)[one, other]
    return np.sqrt(np.maximum(2 - 2 * cosines, 0)), people[one] == people[other]


def balanced(said, same):
    """The mean of the shares that are right of pairs of one person and of pairs of two."""
    return (said[same].mean() + (~said[~same]).mean()) / 2


def best_limit(distances, same):
    """The distance below which pairs are best taken for one person, and how well that goes."""
    limits = np.quantile(distances, np.linspace(0, 1, 200))
    scores = [balanced(distances < limit, same) for limit in limits]
    return limits[int(np.argmax(scores))], max(scores)


def drawn_people(folder, count=8, each=6):
    """Files to try it on without a data set: ovals with eyes and a mouth, of ``count`` kinds."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    for person in range(count):
        (Path(folder) / f"person{person}").mkdir()
        wide, eyes, mouth, skin = rng.uniform([0.25, 0.08, 0.08, 0.5], [0.4, 0.2, 0.25, 0.9])
        for i in range(each):
            y, x = rows - rng.uniform(-0.05, 0.05), columns - rng.uniform(-0.05, 0.05)
            face = skin * ((x / wide) ** 2 + (y / 0.45) ** 2 < 1)
            face[(abs(abs(x) - eyes) < 0.04) & (abs(y + 0.1) < 0.03)] = 0.1
            face[(abs(x) < mouth) & (abs(y - 0.2) < 0.03)] = 0.2
            face = np.clip(face + rng.normal(0, 0.05, face.shape), 0, 1) * 255
            path = Path(folder) / f"person{person}" / f"{i}.png"
            Image.fromarray(face.astype(np.uint8)).save(path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", nargs="?", type=Path, help="default: the astronaut")
    parser.add_argument("--weights", type=Path, help="facenet-pytorch's wheel, or its folder")
    parser.add_argument("--json", action="store_true", help="print the faces as JSON alone")
    parser.add_argument("--train", nargs="?", const="", metavar="FOLDER", help="train on faces")
    parser.add_argument(
        "--middle", type=float, default=1.0, help="share of a picture's side; LFW: about 0.5"
    )
    parser.add_argument("--epochs", type=int, help="default: 40, and 30 for triplets")
    arguments = parse(parser)

    if arguments.train is None:
        weights = arguments.weights or weights_on_this_machine()
        if weights is not None:
            find_faces(arguments.image, weights, arguments.out, arguments.json)
        else:
            missing = "no weights; `pip download --no-deps facenet-pytorch` brings them"
            if not arguments.quick:
                sys.exit(f"faces.py: {missing}")
            print(f"finding faces is left out: {missing}")
    quick = arguments.quick
    if arguments.train is not None or quick:
        tell_faces(arguments.epochs or (10 if quick else 40), 1 if quick else 5, arguments.out)
    if arguments.train:
        epochs = arguments.epochs or (1 if quick else 30)
        compare_people(arguments.train, arguments.middle, epochs, 50, arguments.out)
    elif quick:
        with tempfile.TemporaryDirectory() as folder:
            drawn_people(folder)
            compare_people(folder, 1.0, 2, 10, arguments.out)


if __name__ == "__main__":
    main()
