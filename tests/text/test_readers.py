"""Readers of lines, pairs, JSON and dialogues, from paths, bytes and members of archives."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from tinytensor import text

pytestmark = pytest.mark.no_c


def test_lines_end_where_lines_of_files_do(tmp_path: Path):
    content = "\ufeffone\r\n\r\ntwo\x85\u2028\x0b still\rthree \n".encode()
    lines = ["one", "", "two\x85\u2028\x0b still", "three "]
    (tmp_path / "lines.txt").write_bytes(content)
    (tmp_path / "lines.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(tmp_path / "lines.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/lines.txt", content)
        archive.writestr("in/lines.gz", gzip.compress(content))
    for source in (content, bytearray(content), io.BytesIO(content), tmp_path / "lines.txt"):
        assert text.read_lines(source) == lines
    assert text.read_lines(str(tmp_path / "lines.gz"), skip_empty=True) == lines[:1] + lines[2:]
    for member in ("in/lines.txt", "in/lines.gz"):
        assert text.read_lines(tmp_path / "lines.zip", member=member) == lines
    assert text.read_lines(b"") == []
    assert text.read_lines("ä\n".encode("latin-1"), encoding="latin-1") == ["ä"]


def test_pairs():
    content = b"Go.\tGeh.\tCC-BY\n\n \t\nHi.\tHallo!\n"
    assert text.read_pairs(content.replace(b" \t\n", b"")) == [("Go.", "Geh."), ("Hi.", "Hallo!")]
    assert text.read_pairs(content, columns=None)[0] == ("Go.", "Geh.", "CC-BY")
    assert text.read_pairs(content, columns=[1]) == [("Geh.",), ("Hallo!",)]
    assert text.read_pairs(b"a|||b", separator="|||") == [("a", "b")]
    with pytest.raises(ValueError, match=r"the bytes, line 4: 2 fields, and columns are \[2\]"):
        text.read_pairs(content, columns=[2])


def test_json_lines():
    content = b'{"a": 1, "b": "x"}\n\n[1]\n'
    assert text.read_json_lines(content) == [{"a": 1, "b": "x"}, [1]]
    for bad, fields, message in (
        (content, ["a"], r"line 3: \[1\] has no fields"),
        (content, ["c"], "line 1: there is no field 'c'"),
        (b"1\n{", None, "line 2: no JSON"),
        (b"[" * 100_000, None, "line 1: no JSON"),
    ):
        with pytest.raises(ValueError, match=f"read_json_lines: the bytes, {message}"):
            text.read_json_lines(bad, fields)
    with pytest.raises(TypeError, match="fields is a str"):
        text.read_json_lines(content, "ab")


@pytest.mark.parametrize("read", [text.read_lines, text.read_pairs, text.read_json_lines])
def test_bad_sources(read, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    for source, error, message in (
        (3, TypeError, "path is an int"),
        (io.StringIO("a"), TypeError, "neither a path nor a file"),
        (tmp_path / "none.txt", FileNotFoundError, "there is no file"),
        (tmp_path / "folder", ValueError, "a folder, not a file"),
        (b"1\tb\n\xff\t", ValueError, "line 2: not utf-8"),
        (gzip.compress(b"a" * 99, mtime=0)[:-9], ValueError, "gzip data"),
        (b"\x1f\x8b", ValueError, "gzip data"),
    ):
        with pytest.raises(error, match=message) as caught:
            read(source)
        assert read.__name__ in str(caught.value)
    with pytest.raises(ValueError, match="encoding 'nothing'"):
        read(b"a", encoding="nothing")
    with pytest.raises(ValueError, match="not a sound zip archive"):
        read(b"a", member="b")


YAML = """
categories:
- small talk
- 7
conversations:
- - Do you like numbers?
  - 4
  - yes
- - "Note: this"
  - Note: that
  - !!python/object/apply:os.system ["echo"]
- alone
- []
"""


def test_dialogues(tmp_path: Path):
    good = YAML.replace('!!python/object/apply:os.system ["echo"]', "!!int 5")
    dialogues = text.read_dialogues(good.encode())
    assert [d.turns for d in dialogues] == [
        ("Do you like numbers?", "4", "yes"),
        ("Note: this", "Note: that", "5"),
        ("alone",),
    ]
    assert dialogues[0].categories == ("small talk", "7")
    assert text.replies(dialogues)[-1] == ("Note: that", "5")
    assert len(text.replies(dialogues)) == 4
    assert text.replies(dialogues, alternatives=True)[1] == ("Do you like numbers?", "yes")
    wheel = tmp_path / "corpus.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("corpus/data/english/a.yml", "corpus/data/german/b.yaml", "corpus/c.txt"):
            archive.writestr(name, good)
            path = tmp_path / "unpacked" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(good)
    for where in (wheel, tmp_path / "unpacked"):
        assert len(text.read_dialogues(where)) == 6
        found = text.read_dialogues(where, "german")
        assert {d.source for d in found} == {"corpus/data/german/b.yaml"}
    assert len(text.read_dialogues(wheel, member="corpus/c.txt")) == 3
    assert len(text.read_dialogues(tmp_path / "unpacked" / "corpus" / "c.txt")) == 3


def test_damaged_dialogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shared = "conversations:\n- &a [" + "x, " * 60 + "]\n" + "- *a\n" * 60
    for content, message in (
        (YAML, "a turn is a list, not text"),
        ("a: [", "no YAML"),
        ("[" * 100_000, "no YAML"),
        ("a: *b", "no YAML"),
        ("a\x00b", "no YAML"),
        ("", "no list of conversations"),
        ("conversations: x", "no list of conversations"),
        ("conversations: [[{a: b, c: d}]]", "a turn is a dict"),
        ("conversations: [[{[a]: b}]]", "no YAML|a turn is"),
        ("conversations: &a [*a]", "a turn is|no YAML"),
        (shared, "it repeats itself"),
    ):
        with pytest.raises(ValueError, match=f"read_dialogues: the bytes: .*({message})"):
            text.read_dialogues(content.encode())
    with pytest.raises(ValueError, match="line 1: not utf-8"):
        text.read_dialogues(b"\xff")
    with pytest.raises(ValueError, match="language is for a folder"):
        text.read_dialogues(b"", "english")
    with pytest.raises(FileNotFoundError, match="read_dialogues"):
        text.read_dialogues(tmp_path / "none.yml")
    with pytest.raises(TypeError, match="not a Dialogue"):
        text.replies([("a", "b")])
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(ImportError, match=r"needs pyyaml: pip install tinytensor\[text\]"):
        text.read_dialogues(b"")
