"""Tables in text files: CSV and its relatives, plain or gzipped, by columns, rows, or as a dataset.

A file is read line by line. What is wrong in it is told with the file and the line.
"""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..dtypes import get_default_dtype
from ..io.files import open_file, short
from .dataset import IterableDataset, TensorDataset

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "?")
ROWS = 4096  # that are turned into arrays at a time
LONGEST_LINE = 1 << 22  # bytes
BOOLS = {"true": True, "false": False, "1": True, "0": False}


class _Table:
    """How a file is read: the names of its columns, and rows of texts with their lines."""

    def __init__(
        self,
        caller: str,
        path: str | os.PathLike[str],
        columns: Sequence[str] | None,
        dtypes: Any,
        header: bool | Sequence[str],
        delimiter: str,
        missing: Sequence[str],
        fill: float | None,
        encoding: str,
    ) -> None:
        self.caller, self.path, self.header = caller, os.fspath(path), header
        self.delimiter, self.encoding = delimiter, encoding
        self.missing, self.fill = frozenset(missing), fill
        if not isinstance(delimiter, str) or len(delimiter) != 1:
            raise ValueError(f"{caller}: delimiter must be one character, not {delimiter!r}")
        self.names = self._names()
        for name in columns or ():
            if name not in self.names:
                raise self.error(f"there is no column {name!r}; they are {', '.join(self.names)}")
        self.columns = [*self.names] if columns is None else [*columns]
        self.places = [self.names.index(name) for name in self.columns]
        self.dtypes: dict[str, np.dtype | None]
        if dtypes is None or isinstance(dtypes, Mapping):
            given = dtypes or {}
            if unknown := [name for name in given if name not in self.names]:
                raise self.error(f"dtypes has a column {unknown[0]!r}, which is not there")
            self.dtypes = {n: np.dtype(given[n]) if n in given else None for n in self.columns}
        else:
            self.dtypes = dict.fromkeys(self.columns, np.dtype(dtypes))

    def error(self, what: str, line: int = 0) -> ValueError:
        place = f", line {line}" if line else ""
        return ValueError(f"{self.caller}: {self.path}{place}: {what}")

    def _lines(self) -> Iterator[str]:
        with open_file(self.path, self.caller) as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
            number = 0
            try:
                while line := file.readline(LONGEST_LINE):
                    number += 1
                    if len(line) == LONGEST_LINE:
                        raise self.error(f"longer than {LONGEST_LINE} bytes", number)
                    text = line.decode(self.encoding)
                    yield text.removeprefix("\ufeff") if number == 1 else text
            except UnicodeDecodeError as error:
                raise self.error(f"not {self.encoding}: {error.reason}", number) from error
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise self.error(f"truncated or corrupt gzip data: {error}", number + 1) from error

    def _texts(self) -> Iterator[tuple[int, list[str]]]:
        """The fields of each row that is not empty, and the line that it ends on."""
        reader = csv.reader(self._lines(), delimiter=self.delimiter, strict=True)
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
        except csv.Error as error:
            raise self.error(str(error), reader.line_num) from error

    def _names(self) -> list[str]:
        if not isinstance(self.header, bool):
            names = [*self.header]
        else:
            _, fields = next(self._texts(), (0, []))
            if not fields:
                raise self.error("it is empty")
            names = fields if self.header else [str(i) for i in range(len(fields))]
            names = [name.strip() for name in names]
        if len({*names}) < len(names):
            double = next(name for i, name in enumerate(names) if name in names[:i])
            raise self.error(f"two columns are called {double!r}")
        return names

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The chosen fields of each row, and the line that it ends on."""
        texts = self._texts()
        if self.header is True:
            next(texts)
        for line, fields in texts:
            if len(fields) != len(self.names):
                raise self.error(f"{len(fields)} fields, not {len(self.names)}", line)
            yield line, [fields[place] for place in self.places]

    # --- Values ------------------------------------------------------------------------------

    def infer(self) -> None:
        """Find a dtype for each column that has none: of whole numbers, numbers, or texts."""
        unknown = [i for i, name in enumerate(self.columns) if self.dtypes[name] is None]
        kinds = dict.fromkeys(unknown, 0)  # 0 whole numbers, 1 numbers, 2 texts
        seen = dict.fromkeys(unknown, False)
        for _, fields in self.rows() if unknown else ():
            for i in unknown:
                if fields[i].strip() in self.missing:
                    if self.fill is None:
                        kinds[i] = max(kinds[i], 1)  # a hole is a NaN
                    continue
                seen[i] = True
                while kinds[i] < 2 and not _is_number(fields[i], kinds[i]):
                    kinds[i] += 1
        for i in unknown:
            choice = (np.dtype(np.int64), np.dtype(get_default_dtype()), np.dtype(str))
            self.dtypes[self.columns[i]] = choice[kinds[i] if seen[i] else 1]

    def value(self, name: str, text: str, line: int) -> Any:
        """One value as its column has them. Raises ValueError with its place."""
        dtype = self.dtypes[name]
        if dtype is None or dtype.kind == "U":
            return text
        stripped = text.strip()
        if stripped in self.missing:
            if self.fill is not None:
                return dtype.type(self.fill)
            if dtype.kind == "f":
                return dtype.type("nan")
            raise self.error(f"column {name!r} lacks a value, and {dtype} has no NaN: fill=", line)
        try:
            if dtype.kind == "b":
                return np.bool_(BOOLS[stripped.lower()])
            if "_" in stripped:
                raise ValueError
            if dtype.kind == "f":
                return dtype.type(float(stripped))
            number = int(stripped)
            limits = np.iinfo(dtype)
            if not limits.min <= number <= limits.max:
                raise self.error(f"column {name!r} is {number}, beyond {dtype}", line)
            return dtype.type(number)
        except (ValueError, KeyError) as error:
            if str(error).startswith(self.caller):
                raise
            raise self.error(f"column {name!r} is {short(text)}, not {dtype}", line) from None

    def arrays(self) -> dict[str, np.ndarray]:
        self.infer()
        parts: dict[str, list[np.ndarray]] = {name: [] for name in self.columns}
        rows = self.rows()
        while some := list(islice(rows, ROWS)):
            for i, name in enumerate(self.columns):
                values = [self.value(name, fields[i], line) for line, fields in some]
                parts[name].append(np.array(values, self.dtypes[name]))
        return {
            name: np.concatenate(found) if found else np.empty(0, self.dtypes[name])
            for name, found in parts.items()
        }


def _is_number(text: str, kind: int) -> bool:
    try:
        if kind:
            float(text)
        else:
            limits = np.iinfo(np.int64)
            return limits.min <= int(text) <= limits.max and "_" not in text
    except ValueError:
        return False
    return "_" not in text


def read_csv(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    dtypes: Any = None,
    *,
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Sequence[str] = MISSING,
    fill: float | None = None,
    encoding: str = "utf-8",
) -> dict[str, np.ndarray]:
    """The columns of a CSV file by name, plain or gzipped.

    ``header``: the first row has the names; False: they are "0", "1", …; or a list of them.
    ``columns`` are those that are wanted. ``dtypes`` is one for all, or some by name; of the
    others, a column of whole numbers is int64, one of numbers of the default dtype, any other
    texts. A field of ``missing`` is ``fill``, or NaN in a column of floats.

    Raises FileNotFoundError; ValueError with file and line for a row of another length, a value
    that is none of its column's dtype, a hole where there is no NaN, quotes that do not end, bytes
    that are not ``encoding``.
    """
    how = (columns, dtypes, header, delimiter, missing, fill, encoding)
    return _Table("read_csv", path, *how).arrays()


class CSVRows(IterableDataset):
    """The rows of a CSV file one by one, as dicts by column: for files larger than the memory.

    The arguments are those of `read_csv`; a column without a dtype is of texts.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Sequence[str] | None = None,
        dtypes: Any = None,
        *,
        header: bool | Sequence[str] = True,
        delimiter: str = ",",
        missing: Sequence[str] = MISSING,
        fill: float | None = None,
        encoding: str = "utf-8",
    ) -> None:
        how = (columns, dtypes, header, delimiter, missing, fill, encoding)
        self.table = _Table("CSVRows", path, *how)
        self.columns = self.table.columns

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line, fields in self.table.rows():
            yield {
                name: self.table.value(name, text, line)
                for name, text in zip(self.columns, fields, strict=True)
            }


class CSVDataset(TensorDataset):
    """A CSV file as samples (x, y): x (F,) of the columns of numbers, y of the column ``target``.

    A target of texts becomes int64, the places in ``classes``, which are sorted; without a target,
    samples are (x,). ``columns`` are the names of x's. The other arguments are those of `read_csv`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        target: str | None = None,
        columns: Sequence[str] | None = None,
        dtypes: Any = None,
        *,
        header: bool | Sequence[str] = True,
        delimiter: str = ",",
        missing: Sequence[str] = MISSING,
        fill: float | None = None,
        encoding: str = "utf-8",
        transform: Callable[[np.ndarray], Any] | None = None,
    ) -> None:
        wanted = None if columns is None else [*columns, *([] if target is None else [target])]
        table = _Table(
            "CSVDataset", path, wanted, dtypes, header, delimiter, missing, fill, encoding
        )
        if target is not None and target not in table.names:
            raise table.error(f"there is no column {target!r}; they are {', '.join(table.names)}")
        arrays = table.arrays()
        labels = None if target is None else arrays.pop(target)
        self.columns, self.classes = [*arrays], None
        for name, array in arrays.items():
            if array.dtype.kind not in "fiub":
                raise table.error(f"column {name!r} is of texts: columns= can leave it out")
        if not arrays:
            raise table.error("there are no columns beside the target")
        floats = [a.dtype for a in arrays.values() if a.dtype.kind == "f"]
        dtype = np.result_type(*floats) if floats else np.dtype(get_default_dtype())
        fields = [np.stack([a.astype(dtype) for a in arrays.values()], 1)]
        if labels is not None:
            if labels.dtype.kind == "U":
                names, labels = np.unique(labels, return_inverse=True)
                self.classes = names.tolist()
            fields.append(labels)
        super().__init__(*fields, transform=transform)
