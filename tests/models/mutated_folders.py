"""Models' files, mutated: each is told by a clear error, or loaded as a whole.

    python -m tests.models.mutated_folders [COUNT [SEED]]

Every case changes some bytes, a number or a length in one file of a model: config.json,
safetensors, an index, tokenizer.json, or GGUF. Only ValueError (its kinds among them) and OSError
may come, with the path, within a bounded time and memory.
"""

import json
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import tinytensor as tt
from tinytensor.models import Llama, LlamaConfig, from_pretrained
from tinytensor.text import Subwords

SLOWEST = 10  # seconds of the processor
NUMBERS = (0, 1, -1, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = [b"null", b"-1", b"1e999", b"[]", b"{}", b'"x"', b"9" * 11, b"true", b'"../x"', b"[" * 999]


def write_samples(folder: Path) -> dict[str, tuple[Path, Path]]:
    """By kind: the file to mutate, and the path to load."""
    model = Llama(LlamaConfig(300, 32, 32, 1, 2))
    model.tokenizer = Subwords.train(["low lower lowest newer"], 280)
    model.tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    plain, sharded = folder / "plain", folder / "sharded"
    model.save_pretrained(plain)
    model.save_pretrained(sharded, max_shard_size=20_000)
    found = {name: (plain / name, plain) for name in ("config.json", "tokenizer.json")}
    found["tokenizer_config.json"] = plain / "tokenizer_config.json", plain
    found["safetensors"] = plain / "model.safetensors", plain
    found["index"] = sharded / "model.safetensors.index.json", sharded
    path = folder / "model.gguf"
    write_gguf(path, model)
    found["gguf"] = path, path
    return found


def write_gguf(path: Path, model: Llama, more: dict[str, np.ndarray] | None = None) -> None:
    import gguf

    config, state = model.config, json.loads(model.tokenizer.backend.to_str())["model"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(sorted(state["vocab"], key=state["vocab"].get))
    writer.add_token_merges([" ".join(pair) for pair in state["merges"]])
    for theirs, ours in Llama.gguf_names(config).items():
        tensor = dict(model.named_parameters()).get(ours)
        if tensor is not None:
            writer.add_tensor(theirs, np.asarray(tensor.value))
    for name, tensor in (more or {}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def mutated(rng: random.Random, content: bytes, binary: bool) -> bytes:
    """``content`` with one to three changes, in binary files mostly in what describes the rest."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        end = min(len(data), 6000 if rng.random() < 0.8 else len(data)) or 1
        at = rng.randrange(end)
        way = rng.randrange(7)
        if way == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif way == 1:
            del data[at:]
        elif way == 2:
            del data[at : at + rng.randrange(1, 40)]
        elif way == 3:
            data[at:at] = data[at : at + rng.randrange(1, 40)]
        elif way == 4 and binary:
            size = rng.choice((4, 8))
            number = (rng.choice(NUMBERS) + rng.randrange(-1, 2)) % (1 << 8 * size)
            data[at : at + size] = number.to_bytes(size, "little")
        else:
            spots = [i for i in range(at, min(at + 200, len(data))) if data[i : i + 1].isdigit()]
            at = spots[0] if spots else at
            data[at : at + 1] = rng.choice(WORDS)
    return bytes(data)


def run(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How many of each kind were told or loaded, and what failed."""
    counts: Counter[str] = Counter()
    failures = []
    rng = random.Random(seed)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        samples = write_samples(Path(folder))
        contents = {name: path.read_bytes() for name, (path, _) in samples.items()}
        for case in range(count):
            name = rng.choice(sorted(samples))
            path, loaded = samples[name]
            path.write_bytes(mutated(rng, contents[name], name in ("gguf", "safetensors")))
            start = time.process_time()
            try:
                model = from_pretrained(loaded)
                logits = model(tt.zeros((1, 2), dtype="int64"))
                counts[f"{name} loaded" if logits.ndim == 3 else "wrong"] += 1
            except (ValueError, OSError) as error:
                counts[f"{name} told"] += 1
                if str(loaded) not in str(error) and "from_pretrained" not in str(error):
                    failures.append(f"{case} {name}: without its file: {error!r}")
            except BaseException as error:
                failures.append(f"{case} {name}: {error!r}")
            if time.process_time() - start > SLOWEST:
                failures.append(f"{case} {name}: too slow")
            path.write_bytes(contents[name])
    return counts, failures


if __name__ == "__main__":
    limit = 4 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    count, seed = (int(a) for a in [*sys.argv[1:], *("1000", "0")[len(sys.argv) - 1 :]])
    counts, failures = run(count, seed)
    print(dict(sorted(counts.items())), counts.total(), "cases;", len(failures), "failures")
    print(*failures[:40], sep="\n")
    print("most memory:", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, "MB")
