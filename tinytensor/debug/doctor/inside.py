"""What can be learnt by importing tinytensor: run by the doctor as a process of its own, which may
be killed by what it finds.

Each line of its output is an event: a JSON object behind the word that ``EVENT`` is.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from time import perf_counter
from typing import Any

EVENT = "tinytensor-doctor "


def tell(**event: Any) -> None:
    print(EVENT + json.dumps(event), flush=True)


def note_loading(event: str, args: Any) -> None:
    """Tell of each of our compiled modules before it is loaded, which may be the end."""
    if event == "import" and args[1] and args[0].startswith("tinytensor."):
        tell(event="importing", file=args[1])


def facts() -> dict[str, Any]:
    """Of the package that has been imported."""
    from tinytensor import built, config, dtypes, engine, kernels

    core = built.module("tinytensor.kernels._core") if kernels.active == "fast" else None
    return {
        "engine": "compiled" if engine.compiled else "interpreted",
        "kernels": kernels.active,
        "used": core.isa() if core else None,
        "available": list(core.available_isas()) if core else [],
        "threads": config.get_num_threads(),
        "compiler": core.compiler if core else None,
        "default_dtype": dtypes.get_default_dtype().name,
    }


def main(path: list[str], measure: bool) -> None:
    sys.path[:] = path
    tell(event="importing", file=None)
    sys.addaudithook(note_loading)
    start = perf_counter()
    try:
        import_module("tinytensor")
    except BaseException as error:  # whatever it is, the doctor tells it
        told = {"kind": type(error).__name__, "message": str(error)}
        tell(event="failed", error={**told, "file": getattr(error, "path", None)})
        return
    tell(event="imported", seconds=perf_counter() - start, **facts())
    from tinytensor.debug.doctor import kernel_trial

    def begin(isa: str, kernel: str) -> None:
        tell(event="testing", isa=isa, kernel=kernel)

    tell(event="tested", self_test=kernel_trial.run(begin))
    if measure:
        from tinytensor.debug.doctor import reached

        tell(event="measuring")
        tell(event="measured", limits=reached.on_one_thread_and_all())


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
