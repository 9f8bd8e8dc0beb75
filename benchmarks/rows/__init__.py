"""The table of rows, one file for each family."""

from __future__ import annotations

from ..row import Row
from . import attention, conv, data, decoding, gemm, layers, maps, models, overhead, recurrent

# What the command line calls a group, and the families in it.
GROUPS: dict[str, list[Row]] = {
    "overhead": overhead.ROWS,
    "kernels": [
        *gemm.ROWS,
        *maps.ROWS,
        *conv.ROWS,
        *layers.ROWS,
        *attention.ROWS,
        *recurrent.ROWS,
    ],
    "models": [*models.ROWS, *decoding.ROWS],
    "data": data.ROWS,
}

BY_NAME = {row.name: row for rows in GROUPS.values() for row in rows}
