"""The conversation of examples/chat.py: what is in the cache is not read again."""

import io
import sys
from pathlib import Path

import pytest

from tests.generation.tiny import Letters, Tiny

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Talker(Letters):
    def __init__(self, ends):
        self.ends = ends

    def chat(self, messages, add_generation_prompt):
        return "".join(m["role"][0] + m["content"] + "\n" for m in messages) + "a"


@pytest.fixture(scope="module")
def chat():
    sys.path.insert(0, str(EXAMPLES))
    import chat

    yield chat
    sys.path.remove(str(EXAMPLES))


def conversation(chat, context=200, ends=(), **how):
    model = Tiny(vocab_size=257, n_positions=context)
    model.tokenizer = Talker({256, *ends})
    return chat.Chat(model, temperature=0.0, suppress=range(128, 256), **how)


def test_a_turn_reads_only_its_own_tokens(chat):
    one = conversation(chat)
    first = "".join(one.ask("hello", 6))
    assert one.read == len("uhello\na")
    one.model.reads.clear()
    second = "".join(one.ask("you", 6))
    assert one.model.reads[0] == one.read == len("\nuyou\na") + 1  # and the last that was written
    whole = Letters().encode(f"uhello\na{first}\nuyou\na")
    wanted = one.model.generate(whole, 6, **one.rules, stop=())[len(whole) :]
    assert Letters().encode(second) == wanted
    one.reset()
    assert "".join(one.ask("hello", 6)) == first
    assert one.read == len("uhello\na")


def test_an_answer_that_ends_or_is_interrupted_stays_in_the_conversation(chat):
    plain = "".join(conversation(chat).ask("hello", 6))
    one = conversation(chat, ends={ord(plain[3])})
    short = "".join(one.ask("hello", 6))
    assert short == plain[: plain.index(plain[3])]
    pieces = one.ask("more", 6)
    next(pieces)
    pieces.close()  # as Ctrl-C does
    assert [m["role"] for m in one.messages] == ["user", "assistant"] * 2
    "".join(one.ask("again", 2))
    assert one.cache.lengths[0] <= len(one.held)


def test_the_oldest_turns_are_forgotten(chat):
    one = conversation(chat, context=64, system="S")
    for turn in range(8):
        "".join(one.ask(f"turn number {turn}", 8))
        assert len(one.held) <= 64
    assert one.messages[0]["content"] == "S"
    assert one.messages[1]["content"] != "turn number 0"
    with pytest.raises(ValueError, match="that is 106 tokens; there is room for 56"):
        "".join(one.ask("x" * 100, 8))
    assert "".join(one.ask("short", 3))


def test_talking_at_the_terminal(chat, monkeypatch, capsys):
    one = conversation(chat)
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n/what\n/reset\n\n/quit\nnever\n"))
    chat.talk(one, 4, quiet=False)
    printed = capsys.readouterr()
    assert "tokens read" in printed.err
    assert "/reset forgets the conversation, /quit ends" in printed.out
    assert one.held == []
