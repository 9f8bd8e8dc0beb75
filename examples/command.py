"""What the commands of the examples share: the options that all of them have."""

from pathlib import Path

import tinytensor as tt


def parse(parser, quick="all of it, shortened"):
    """The arguments; of --quick, --threads and --out, which are added, the threads are set and the
    folder is made."""
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--threads", type=int, help="default: one for each core")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    arguments = parser.parse_args()
    if arguments.threads:
        tt.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    return arguments
