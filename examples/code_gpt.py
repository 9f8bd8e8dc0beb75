"""A small GPT learns to write Python from the sources of the standard library that runs it.

    python examples/code_gpt.py                  # by characters
    python examples/code_gpt.py --tokens bpe     # by byte pairs, trained on the training files
    python examples/code_gpt.py --text FILE      # from another text
    python examples/code_gpt.py --beside-torch   # and the same model in PyTorch, step by step
    mpiexec -n 2 python examples/code_gpt.py     # on two processes, with the same losses

The setting is nanoGPT's for a CPU: 4 layers, 4 heads, 128 channels, a context of 64 tokens, 2,000
batches of 12. Bits are told for a byte, so that characters and byte pairs compare. Of functions
that the model writes, those count that Python's own parser accepts.
"""

import ast
import io
import sys
import warnings
from pathlib import Path

import numpy as np
from beside_torch import draw_both, tell_of_both, train_beside_torch
from language import (
    begin,
    learn_to_write_code,
    options,
    random_windows,
    save_and_write,
    windows_held_out,
)

import tinytensor as tt
from tinytensor import distributed, nn
from tinytensor.data import Vocabulary
from tinytensor.distributed import DistributedBatches, DistributedDataParallel
from tinytensor.models import GPT, GPTConfig
from tinytensor.train import bits_per_character

LENGTH, BATCH_SIZE, LR = 64, 12, 1e-3
PAIRS = 1024  # tokens of byte pairs, the 256 bytes among them
LONGEST = 300  # characters of a function


def first_function(text):
    """The function that a text begins with, and whether it ends there.

    It ends before the next line that begins at the left, but for a closing bracket. If there is
    none, what is behind its last whole line is left out.

    >>> first_function("def f(x):\\n    return x\\n\\nclass A")
    ('def f(x):\\n    return x\\n', True)
    >>> first_function("def f(x):\\n    y = x\\n    retu")
    ('def f(x):\\n    y = x', False)
    """
    lines = text.split("\n")
    for i, line in enumerate(lines[1:], 1):
        if line and not line[0].isspace() and line[0] not in ")]}":
            return "\n".join(lines[:i]), True
    return "\n".join(lines[:-1]), False


def accepted(source):
    """Whether Python's parser takes it for a program that is not empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of escapes in strings
        try:
            return bool(ast.parse(source).body)
        except (SyntaxError, ValueError, MemoryError):
            return False


def written(model, corpus, count, seed, temperature):
    """So many texts of at most ``LONGEST`` characters, each of which begins with "def"."""
    start = np.array(corpus.vocabulary.encode("\n\ndef"))
    spare = 1 if isinstance(corpus.vocabulary, Vocabulary) else 1.3  # byte pairs differ in length
    tokens = int(spare * LONGEST / corpus.token_bytes)
    before = np.tile(start, (count, 1))
    found = model.generate(
        before, tokens, temperature=temperature, generator=seed, overflow="slide"
    )
    return [corpus.vocabulary.decode(row).lstrip()[:LONGEST] for row in np.asarray(found)]


def held_out_functions(corpus, count):
    """As many texts of people's, cut to the same length."""
    text = corpus.vocabulary.decode(corpus.held_out)
    texts = ["def" + part[: LONGEST - 3] for part in text.split("\ndef")[1:]]
    return texts[:: max(len(texts) // count, 1)][:count]


def tell_of_functions(who, texts):
    """Print how many of the texts begin with a function that Python accepts."""
    found = [first_function(text) for text in texts]
    right = [accepted(source) for source, _ in found]
    ended = np.array([end for _, end in found])
    lines = np.mean([source.count("\n") + 1 for source, _ in found])
    print(
        f"{who}: Python accepts {np.mean(right):.1%} of {len(texts)} functions, {lines:.1f} lines"
        f" each; {ended.mean():.1%} end within {LONGEST} characters,"
        f" of these {np.mean(np.array(right)[ended]) if ended.any() else 0:.1%}"
    )


def judge(name, model, corpus, quick):
    """Print the bits for a byte of the held-out text, and the perplexity of a token."""
    bits = bits_per_character(model, windows_held_out(corpus, 16 if quick else 2048))
    print(
        f"{name}: {corpus.bits_per_byte(bits):.4f} bits/byte, of {corpus.token_bytes:.3f} bytes a"
        f" token; perplexity of a token {2**bits:.4f}"
    )


def main():
    parser = options(__doc__, steps=2000)
    parser.add_argument("--tokens", choices=("characters", "bpe"), default="characters")
    parser.add_argument("--functions", type=int, default=100, help="that are written (100)")
    parser.add_argument("--temperature", type=float, default=0.8, help="of these (0.8)")
    parser.add_argument("--load", type=Path, help="weights that were saved; none are trained")
    parser.add_argument("--beside-torch", action="store_true", help="train in PyTorch, too")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    distributed.init()
    if distributed.rank():
        sys.stdout = io.StringIO()  # the first process prints for all
    arguments, corpus = begin(parser, PAIRS)
    tt.set_default_dtype(getattr(tt, arguments.dtype))
    quick, size = arguments.quick, len(corpus.vocabulary)
    model = GPT(GPTConfig(size, block_size=LENGTH, n_layer=4, n_head=4, n_embd=128))
    batches = random_windows(corpus, arguments, LENGTH, BATCH_SIZE)
    if arguments.load:
        model.load_state_dict(tt.load(arguments.load))
        judge("tinytensor", model, corpus, quick)
    elif arguments.beside_torch:
        found, both = train_beside_torch("gpt", model, batches, arguments, lr=LR)
        tell_of_both(found)
        draw_both(found, "token", arguments.out / "code_gpt_beside_torch.png")
        for name, weights in zip(("PyTorch", "tinytensor"), reversed(both), strict=True):
            model.load_state_dict({key: tt.tensor(value) for key, value in weights.items()})
            judge(name, model, corpus, quick)
    else:
        history = learn_to_write_code(
            DistributedDataParallel(model),
            corpus,
            lambda steps: DistributedBatches(batches(steps)),
            LR,
            arguments.steps,
            quick=quick,
        )
        if distributed.rank():
            return
        history.to_json(arguments.out / "code_gpt.json")
        judge("tinytensor", model, corpus, quick)
    save_and_write("code_gpt", model, corpus, arguments)
    if arguments.text is None:
        count = 4 if quick else arguments.functions
        tell_of_functions("people", held_out_functions(corpus, count))
        how = (arguments.seed, arguments.temperature)
        tell_of_functions("the model", written(model, corpus, count, *how))
    judge("in int8", nn.packed.quantize(model.to(tt.float32), "int8"), corpus, quick)


if __name__ == "__main__":
    main()
