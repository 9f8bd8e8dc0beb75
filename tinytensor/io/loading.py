"""Loading of tensors: the content of a file tells its format."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, BinaryIO

from ..errors import DtypeError
from ..tensors.namespace_info import check_device
from ..tensors.tensor import Tensor
from .files import StrPath, bytes_left, fill, opened
from .tensors import from_safetensors

__all__ = ["load", "load_saved"]

HEAD = 512  # bytes, by which a format is told


def load(path: StrPath | BinaryIO, map_location: Any = None, weights_only: bool = True) -> Any:
    """The tensors in a file: at a path, or a file object in binary mode from where it stands.

    ==================================  ===========================================================
    safetensors                         what :func:`save` wrote; of others a dict of tensors
    ``.pt`` ``.pth`` ``.bin``           what ``torch.save`` wrote, in all its layouts: tensors, and
                                        dicts, lists and plain data with tensors in them
    ``.npy``                            a tensor
    ``.npz``                            a dict of tensors
    ==================================  ===========================================================

    The content tells which it is, not the name. ``model.load_state_dict(tt.load("model.pt"))`` is
    all that a model of PyTorch's needs.

    No file runs code: of pickles, plain data and tensors are read, and anything else is refused
    with its name. The tensors are copies, of no file mapped, so nothing that happens to the file
    later changes them. Two tensors on one storage of PyTorch's share memory here too. Where they
    had ``requires_grad`` they have it; all are on the CPU, whatever device they were on, and
    PyTorch's ``map_location`` may be "cpu". ``weights_only`` is always true.

    Raises FileNotFoundError; ValueError, which names the file, if it is in none of the formats,
    damaged, or no file; DtypeError for elements that no tensor has (float8, objects, texts);
    TypeError for what is no path.

    >>> import io, numpy as np, tinytensor as tt
    >>> file = io.BytesIO()
    >>> np.savez(file, weight=np.eye(2))
    >>> _ = file.seek(0)
    >>> tt.load(file)["weight"].shape
    (2, 2)
    """
    if not callable(map_location):
        check_device(map_location)
    return _told(path, _read)


def load_saved(path: StrPath) -> dict[Any, Any]:
    """What :func:`save` wrote, and no other format, in which a few bytes may stand for a tensor of
    more elements than there is memory: all strides 0. Errors as those of :func:`load`."""
    return _told(path, lambda file: from_safetensors(file.read()))


def _told(path: StrPath | BinaryIO, read: Callable[[BinaryIO], Any]) -> Any:
    """What ``read`` makes of a file. Its errors tell of which."""
    with opened(path, "load") as (file, name):
        try:
            return read(file)
        except DtypeError as error:
            raise DtypeError(f"load: {name}: {error}") from error
        except ValueError as error:
            told = str(error)
            between = " " if told.startswith(("is not ", "has a ")) else ": "
            raise ValueError(f"load: {name}{between}{told}") from error


def _read(file: BinaryIO) -> Any:
    start = file.tell()
    head = file.read(HEAD)
    file.seek(start)
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return _of_archive(file, start)
    if head[:6] == b"\x93NUMPY":
        from .numpy_files import npy_array

        return Tensor(npy_array(fill(file, bytes_left(file))))
    content = file.read()
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or length > len(content):  # not safetensors, which have no magic number
        if head[:1] in (b"\x80", b"L"):
            from .pytorch import from_stream

            return from_stream(content)
        if head[257:262] == b"ustar":
            from .pytorch import from_tar

            return from_tar(content)
        try:
            return from_safetensors(content)
        except ValueError as error:
            raise ValueError(f"{error}; nor is it of torch.save, .npy or .npz") from error
    return from_safetensors(content)


def _of_archive(file: BinaryIO, start: int) -> Any:
    from .archives import Archive

    archive = Archive(file, start)
    pickles = [name for name in archive.members if re.fullmatch("([^/]*/)?data.pkl", name)]
    if len(pickles) == 1:
        from .pytorch import from_zip

        return from_zip(archive, pickles[0])
    if all(name.endswith(".npy") for name in archive.members):
        from .numpy_files import npz_arrays

        return {name: Tensor(array) for name, array in npz_arrays(archive).items()}
    raise ValueError(
        "a zip archive that is neither of torch.save (with one data.pkl) nor of np.savez (of .npy)"
    )
