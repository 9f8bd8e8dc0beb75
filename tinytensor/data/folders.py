"""Pictures in folders: a folder for each class, faces as LFW has them, and as Olivetti's set does.

root/class/name.png            ImageFolder
root/Name_Surname/Name_Surname_0001.jpg      lfw
root/s1/1.pgm … root/s40/10.pgm              olivetti
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..io.files import read_file, short
from .dataset import Dataset, TensorDataset, within
from .image import bytes_to_unit
from .pictures import EXTENSIONS, read_image

Path_ = str | os.PathLike[str]


class ImageFolder(Dataset):
    """The pictures below the folders of ``root``, whose names, sorted, are the classes 0, 1, ….

    A sample is (picture, class): what ``loader(path)`` gives, by default `read_image`'s (3, H, W),
    uint8, after ``transform``; and the number after ``target_transform``. Pictures are files whose
    names end with one of ``extensions``, or for which ``is_valid_file(path)`` says so; they are
    read when they are asked for.

    ``classes`` are the names, ``class_to_idx`` their numbers, ``samples`` pairs of path and number,
    ``targets`` the numbers. Raises FileNotFoundError if there are no classes, or, without
    ``allow_empty``, one without pictures.
    """

    def __init__(
        self,
        root: Path_,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = read_image,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        *,
        extensions: Sequence[str] = EXTENSIONS,
    ) -> None:
        self.root, self.loader = os.fspath(root), loader
        self.transform, self.target_transform = transform, target_transform
        endings = tuple(extension.lower() for extension in extensions)
        chosen = is_valid_file or (lambda path: path.lower().endswith(endings))
        self.classes = folders_in(root, "ImageFolder")
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.samples: list[tuple[str, int]] = []
        for number, name in enumerate(self.classes):
            paths = [path for path in files_below(Path(root) / name) if chosen(path)]
            if not paths and not allow_empty:
                raise FileNotFoundError(
                    f"ImageFolder: there are no pictures in {Path(root) / name}; their names end"
                    f" with {', '.join(endings)}"
                )
            self.samples += [(path, number) for path in paths]

    @property
    def imgs(self) -> list[tuple[str, int]]:
        """``samples``, as PyTorch calls them too."""
        return self.samples

    @property
    def targets(self) -> list[int]:
        return [number for _, number in self.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[within("ImageFolder", index, len(self))]
        picture: Any = self.loader(path)
        if self.transform is not None:
            picture = self.transform(picture)
        changed: Any = target if self.target_transform is None else self.target_transform(target)
        return picture, changed


def folders_in(root: Path_, caller: str) -> list[str]:
    """The names of the folders in ``root``, sorted. Raises FileNotFoundError if there are none."""
    if not os.path.isdir(root):
        raise FileNotFoundError(f"{caller}: there is no folder {os.fspath(root)}")
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    if not names:
        raise FileNotFoundError(f"{caller}: there are no folders of classes in {os.fspath(root)}")
    return names


def files_below(folder: Path) -> list[str]:
    """The paths of all files below a folder, in sorted order."""
    found = []
    for where, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        found += [os.path.join(where, name) for name in sorted(names)]
    return found


# --- Faces -----------------------------------------------------------------------------------


def lfw(
    root: Path_,
    least: int = 1,
    transform: Callable[[Any], Any] | None = None,
    target_transform: Callable[[Any], Any] | None = None,
) -> ImageFolder:
    """Labeled Faces in the Wild: the people of whom there are at least so many pictures.

    Raises ValueError for a picture that is not called Name_Surname_0001 after its folder;
    FileNotFoundError if nobody is left.

    Source: G. Huang et al., "Labeled faces in the wild", 2007.
    """
    faces = ImageFolder(root, transform, target_transform)
    for path, number in faces.samples:
        name = faces.classes[number]
        if not re.fullmatch(re.escape(name) + r"_\d{4}", Path(path).stem):
            raise ValueError(f"lfw: {path} is not called as its folder, {name}_0001 …")
    counts = np.bincount(faces.targets, minlength=len(faces.classes))
    kept = np.flatnonzero(counts >= least).tolist()
    if not kept:
        raise FileNotFoundError(
            f"lfw: of nobody in {os.fspath(root)} are there {least} pictures, but {counts.max()}"
            " at most"
        )
    numbers = {old: new for new, old in enumerate(kept)}
    faces.samples = [(path, numbers[old]) for path, old in faces.samples if old in numbers]
    faces.classes = [faces.classes[old] for old in kept]
    faces.class_to_idx = {name: i for i, name in enumerate(faces.classes)}
    return faces


def read_lfw_pairs(path: Path_, root: Path_) -> list[tuple[str, str, bool]]:
    """The pairs of a file as LFW's pairs.txt: the paths of two pictures, and: one person?

    A line is ``name i j`` or ``name i name j``; the first says how many there are: ``folds n`` or
    ``n``, n of each kind. Raises ValueError, with file and line; FileNotFoundError for a picture
    that is not there.
    """
    where = os.fspath(path)
    try:
        text = read_file(path, "read_lfw_pairs").decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"read_lfw_pairs: {where}: {error}") from error
    lines = [line.split() for line in text.splitlines()]
    head = lines[0] if lines else []
    if not 1 <= len(head) <= 2 or not all(_is_count(word) for word in head):
        raise ValueError(f"read_lfw_pairs: {where}, line 1: not the number of pairs: {short(head)}")
    expected = 2 * math.prod(int(word) for word in head)
    body = [(i, words) for i, words in enumerate(lines[1:], 2) if words]
    if len(body) != expected:
        raise ValueError(f"read_lfw_pairs: {where}: {len(body)} pairs, line 1 says {expected}")
    pairs = []
    for number, words in body:
        if len(words) not in (3, 4) or not _is_count(words[1]) or not _is_count(words[-1]):
            what = short(" ".join(words))
            raise ValueError(f"read_lfw_pairs: {where}, line {number}: no pair: {what}")
        other = words[-2] if len(words) == 4 else words[0]
        one, two = _face(root, words[0], words[1]), _face(root, other, words[-1])
        pairs.append((one, two, len(words) == 3))
    return pairs


def _is_count(word: str) -> bool:
    return word.isdecimal() and len(word) < 10


def _face(root: Path_, name: str, number: str) -> str:
    stem = os.path.join(os.fspath(root), name, f"{name}_{int(number):04}")
    for extension in EXTENSIONS:
        if os.path.exists(stem + extension):
            return stem + extension
    raise FileNotFoundError(f"read_lfw_pairs: there is no picture {stem}.jpg")


def olivetti(
    root: Path_, transform: Callable[[np.ndarray], Any] | None = bytes_to_unit
) -> TensorDataset:
    """Olivetti's faces (AT&T's, ORL's) from folders s1, s2 … of pictures 1.pgm, 2.pgm ….

    Batches are images (N, 1, H, W), float32 in [0, 1], and the number of the person from 0 on. All
    are read at once: ValueError for a missing number, another size, a damaged picture.

    Source: F. Samaria, A. Harter, "Parameterisation of a stochastic model for human face
    identification", 1994.
    """
    names = [name for name in folders_in(root, "olivetti") if re.fullmatch(r"s\d+", name)]
    people = sorted(names, key=lambda name: int(name[1:]))
    if [int(name[1:]) for name in people] != list(range(1, len(people) + 1)) or not people:
        raise ValueError(f"olivetti: the folders in {os.fspath(root)} are not s1, s2 …: {people}")
    images: list[np.ndarray] = []
    labels: list[int] = []
    for number, name in enumerate(people):
        folder = Path(root) / name
        found = {path.stem: path for path in folder.iterdir() if path.suffix in EXTENSIONS}
        for i in range(1, len(found) + 1):
            if str(i) not in found:
                raise ValueError(f"olivetti: there is no picture {folder / str(i)}.pgm")
            picture = read_image(found[str(i)], "L")
            if images and picture.shape != images[0].shape:
                raise ValueError(
                    f"olivetti: {found[str(i)]} has {picture.shape[1:]} pixels, the others"
                    f" {images[0].shape[1:]}"
                )
            images.append(picture)
            labels.append(number)
        if not found:
            raise ValueError(f"olivetti: there are no pictures in {folder}")
    return TensorDataset(np.stack(images), np.array(labels), transform=transform)
