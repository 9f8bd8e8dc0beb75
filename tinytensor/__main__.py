"""``python -m tinytensor`` prints what runs here, ``python -m tinytensor doctor`` what is wrong."""

from __future__ import annotations

import argparse
import sys

from .config import show_config


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tinytensor",
        description="Print the version, and which engine, kernels, instruction set and threads are"
        " in use.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=["doctor"],
        help="test the kernels, measure, and say what is wrong and what to do: doctor --help",
    )
    given, rest = parser.parse_known_args(arguments)
    if given.command == "doctor":
        from .debug import doctor

        return doctor.main(rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    show_config()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
