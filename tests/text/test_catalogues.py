"""Catalogues of gettext, beside Babel's and the standard library's readers; damaged ones."""

from __future__ import annotations

import gettext
import io
import random
import struct
import zipfile
from pathlib import Path

import pytest
from babel.messages import mofile, pofile

from tinytensor import text

pytestmark = pytest.mark.no_c

PO = r"""# A translator's first words
#, fuzzy-not
msgid ""
msgstr ""
"Project-Id-Version: x\n"
"Language: de\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

# A comment
# of two lines
#. from the program
#: a.py:1 b.py:2
#: c.py:3
#, python-format, no-wrap
msgid "one"
msgstr "eins"

#, fuzzy
#| msgctxt "old"
#| msgid "a previous "
#| "one"
msgctxt "menu"
msgid ""
"two "
"lines\n"
	msgstr "zwei\tZeilen\n\"Größe\" \\n"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"
msgid "untranslated"
msgstr ""

msgctxt ""
msgid "same id"
msgstr "leerer Kontext"

msgid "same id"
msgstr "kein Kontext"

#~ msgid "gone"
#~ msgid_plural "gone ones"
#~ msgstr[0] "weg"
#~ msgstr[1] ""
#~ "alle weg"
#~| msgid "before"
#~ msgid "gone too"
#~ msgstr "auch"
# a comment at the end
""".encode()


HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset={}\\n"\n'


def by_babel(content: bytes) -> dict[tuple[str | None, str], tuple[tuple[str, ...], bool]]:
    """Translations by context and id, and whether they are fuzzy."""
    found = {}
    for message in pofile.read_po(io.BytesIO(content)):
        if message.id:
            id = message.id if isinstance(message.id, str) else message.id[0]
            string = message.string
            strings = (string,) if isinstance(string, str) else tuple(s or "" for s in string)
            found[message.context, id] = (strings, message.fuzzy)
    return found


def ours(catalogue: text.Catalogue) -> dict[tuple[str | None, str], tuple[tuple[str, ...], bool]]:
    return {(m.context, m.id): (m.strings, m.fuzzy) for m in catalogue if not m.obsolete}


def compiled(content: bytes) -> bytes:
    """A .mo of a .po's messages, by Babel."""
    out = io.BytesIO()
    mofile.write_mo(out, pofile.read_po(io.BytesIO(content)))
    return out.getvalue()


def swapped(mo: bytes) -> bytes:
    """A .mo in the other order of bytes."""
    *_, count, ids, strings = struct.unpack("<5I", mo[:20])
    numbers = {*range(0, 28, 4), *range(ids, ids + 8 * count, 4)}
    numbers |= {*range(strings, strings + 8 * count, 4)}
    out = bytearray(mo)
    for at in numbers:
        out[at : at + 4] = out[at : at + 4][::-1]
    return bytes(out)


def test_a_po_is_read_as_babel_reads_it():
    catalogue = text.read_catalogue(PO)
    assert ours(catalogue) == by_babel(PO)
    assert catalogue.language == "de"
    assert catalogue.header["plural-forms"] == "nplurals=2; plural=(n != 1);"
    assert [m.id for m in catalogue if m.obsolete] == ["gone", "gone too"]
    windows = PO.replace(b"\n", b"\r\n")
    assert ours(text.read_catalogue(b"\xef\xbb\xbf" + windows)) == ours(catalogue)


def test_what_a_message_has():
    catalogue = text.read_catalogue(PO)
    one = catalogue.get("one")
    assert one.comments == ("A comment", "of two lines")
    assert one.extracted == ("from the program",)
    assert one.references == ("a.py:1", "b.py:2", "c.py:3")
    assert one.flags == ("python-format", "no-wrap")
    assert one.line == PO.decode().split("\n").index('msgid "one"') + 1
    two = catalogue.get("two lines\n", "menu")
    assert two.string == 'zwei\tZeilen\n"Größe" \\n'
    assert two.fuzzy
    assert two.previous == {"context": "old", "id": "a previous one"}
    assert catalogue.get("two lines\n") is None
    assert catalogue.get("same id", "").string == "leerer Kontext"
    assert catalogue.get("same id").string == "kein Kontext"
    gone = catalogue.messages[-2]
    assert (gone.plural, gone.strings) == ("gone ones", ("weg", "alle weg"))
    assert catalogue.messages[-1].previous == {"id": "before"}
    assert not catalogue.get("untranslated").translated


def test_pairs():
    catalogue = text.read_catalogue(PO)
    pairs = catalogue.pairs()
    files = [("%d file", "%d Datei"), ("%d files", "%d Dateien")]
    assert pairs[:3] == [("one", "eins"), *files]
    assert len(pairs) == 5
    assert len(catalogue.pairs(fuzzy=True)) == 6
    assert catalogue.pairs(plurals=False)[1] == files[0]
    assert ("gone ones", "alle weg") in catalogue.pairs(obsolete=True)


@pytest.mark.parametrize("turn", [bytes, swapped], ids=["little", "big"])
def test_a_mo_is_read_as_the_standard_library_reads_it(turn):
    mo = turn(compiled(PO))
    catalogue = text.read_catalogue(mo)
    theirs = gettext.GNUTranslations(io.BytesIO(mo))._catalog
    found = {}
    for message in catalogue:
        begin = "" if message.context is None else f"{message.context}\x04"
        for i, string in enumerate(message.strings):
            found[begin + message.id if message.plural is None else (begin + message.id, i)] = (
                string
            )
    assert found == {key: value for key, value in theirs.items() if key}
    assert catalogue.language == "de"
    kept = {  # by Babel, which writes an empty context as none
        key: value
        for key, value in ours(text.read_catalogue(PO)).items()
        if all(value[0]) and not value[1] and key[0] != ""
    }
    assert ours(catalogue) == kept


@pytest.mark.parametrize("charset", ["iso-8859-1", "cp1252", "euc_jp", "koi8-r", "utf-8"])
def test_charsets(charset):
    word = {"euc_jp": "日本", "koi8-r": "привет"}.get(charset, "Größe")
    po = f'{HEADER.format(charset)}msgid "x"\nmsgstr "{word}"'
    assert text.read_catalogue(po.encode(charset)).get("x").string == word
    assert text.read_catalogue(compiled(po.encode(charset))).get("x").string == word
    commented = "# msgid of all\n" + po.replace('msgstr "C', 'msgstr ""\n"A: b\\n"\n"C')
    assert text.read_catalogue(commented.encode(charset)).get("x").string == word
    together = po.replace('"C', '"A: b\\nC')
    assert text.read_catalogue(together.encode(charset)).get("x").string == word
    in_parts = po.replace("plain; ", 'plain; "\r\n\t"')
    assert text.read_catalogue(in_parts.encode(charset)).get("x").string == word
    numbers = "".join(f"\\{byte:o}" for byte in word.encode(charset))
    escaped = po.replace(word, numbers + "\\x41\\a")
    assert text.read_catalogue(escaped.encode()).get("x").string == word + "A\a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("msgid x", r"line 1: no whole text in quotes: 'x'"),
        ('msgid "a\nmsgstr ""', r"line 1: no whole text in quotes"),
        ('msgid "a"b"\nmsgstr ""', r"line 1: no whole text in quotes"),
        ('msgid "a\\"\nmsgstr ""', r"line 1: no whole text in quotes"),
        ('"a"', r"line 1: a string without a keyword"),
        ('msgstr "a"', r"line 1: msgstr without a msgid"),
        ('msgid "a"\n\nmsgid "b"', r"line 3: msgid in a wrong place"),
        ('msgid "a"', r"from line 1 on, has no msgstr"),
        ('msgctxt "a"\nmsgstr "b"', r"line 2: msgstr without a msgid"),
        ('msgid "a"\nmsgctxt "b"', r"line 2: msgctxt in a wrong place"),
        ('msgid "a"\nmsgstr "b"\nmsgid_plural "c"', r"line 3: msgid_plural in a wrong place"),
        ('msgid "a"\nmsgid_plural "b"\nmsgstr "c"', r"line 3: msgstr without a number"),
        ('msgid "a"\nmsgstr[0] "c"', r"line 2: msgstr without a msgid_plural"),
        ('msgid "a"\nmsgid_plural "b"\nmsgstr[1] "c"', r"line 3: msgstr\[1\] follows 0 others"),
        ('msgid "a"\nmsgstr "b"\nmsgstr "c"', r"line 3: msgstr\[0\] follows 1 others"),
        ('msgid "a"\n# b\nmsgstr "c"', r"line 2: a comment within an entry"),
        ('msgid "a"\n#~ msgstr "c"', r"line 2: an entry is obsolete in part"),
        ('msgid "a"\n#~ "c"', r"line 2: an entry is obsolete in part"),
        ('#| "c"', r"line 1: a string without a keyword"),
        ("#| c", r"line 1: '#\| c' is no previous message"),
        ("hello", r"line 1: 'hello' begins with no keyword"),
        ('msgid "a"\nmsgstr "\\377"', r"is not utf-8"),
        (HEADER.format("utf-8") * 2, r"line 3: there are two headers"),
        (HEADER.format("utf-16"), r"its charset is 'utf-16'"),
        (HEADER.format("rot13"), r"its charset is 'rot13'"),
        (HEADER.format("unicode_escape"), r"its charset is 'unicode_escape'"),
        (HEADER.format("utf-7"), r"its charset is 'utf-7'"),
        (HEADER.format("nothing"), r"its charset is 'nothing'"),
        (b'msgid "a"\nmsgstr "\xff"', r"line 2: not utf-8"),
        (b"\0" * 9, r"begins with no keyword"),
    ],
)
def test_damaged_pos(content, message):
    content = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(ValueError, match=rf"^read_catalogue: the bytes.*{message}"):
        text.read_catalogue(content)


def test_damaged_mos():
    mo = compiled(PO)
    _, _, count, ids, strings = struct.unpack("<5I", mo[:20])

    def with_(at, *numbers):
        return mo[:at] + struct.pack(f"<{len(numbers)}I", *numbers) + mo[at + 4 * len(numbers) :]

    for content, message in (
        (mo[:19], "truncated: 19 bytes"),
        (with_(4, 2 << 16), "a revision 2"),
        (with_(8, 2**32 - 1), "truncated: its table of 4294967295 ids"),
        (with_(12, 2**32 - 1), "truncated: its table of"),
        (with_(ids + 8, 2**32 - 1), "truncated: 4294967295 bytes"),
        (with_(strings + 12, len(mo)), "truncated"),
        (with_(strings + 8, 1), "translations has no zero at its end"),
        (mo[:-1], "truncated"),
    ):
        with pytest.raises(ValueError, match=f"^read_catalogue: the bytes: .*{message}"):
            text.read_catalogue(content)
    many = struct.pack("<7I", 0x950412DE, 0, 200, 28, 28, 0, 0) + struct.pack("<2I", 1600, 28) * 200
    with pytest.raises(ValueError, match="ids overlap"):
        text.read_catalogue(many + b"\0")
    assert len(text.read_catalogue(with_(4, 1))) == count - 1  # a later revision of the known kind


@pytest.mark.parametrize("kind", ["po", "mo"])
def test_mutations_are_read_or_told(kind):
    """Nothing but ValueError is raised, and what is read is texts."""
    content, draw = (PO if kind == "po" else compiled(PO)), random.Random(0)
    pieces = (b'"', b"\\", b"\n", b"msgid ", b"msgstr[1] ", b"#~ ", b"#| ", b"\0", b"\xff", b"\4")
    told = []
    for _ in range(800):
        changed = bytearray(content)
        for _ in range(draw.randint(1, 3)):
            at, what = draw.randrange(len(changed)), draw.random()
            if what < 0.4:
                changed[at] = draw.randrange(256)
            elif what < 0.7:
                changed[at:at] = draw.choice(pieces)
            elif what < 0.9:
                del changed[at : at + draw.randint(1, 20)]
            else:
                changed[at : at + 4] = draw.randrange(2**32).to_bytes(4, "little")
        try:
            pairs = text.read_catalogue(bytes(changed)).pairs(fuzzy=True, obsolete=True)
        except ValueError as error:
            told.append(str(error))
        else:
            assert all(isinstance(part, str) for pair in pairs for part in pair)
    assert 40 < len(told) < 760
    assert all(message.startswith("read_catalogue: the bytes") for message in told)


def test_catalogues_of_a_language(tmp_path: Path):
    mo = compiled(PO)
    files = {
        "app/locale/de/LC_MESSAGES/django.po": PO,
        "app/locale/de/LC_MESSAGES/django.mo": mo,
        "app/locale/de/LC_MESSAGES/only.mo": mo,
        "app/locale/de_AT/LC_MESSAGES/django.po": b"damaged",
        "app/locale/pt_BR/LC_MESSAGES/django.po": PO,
        "po/de.po": PO,
        "po/LC_MESSAGES.po": b"damaged",
        "de/readme.txt": b"",
    }
    wheel = tmp_path / "app.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            path = tmp_path / "unpacked" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for where in (wheel, str(tmp_path / "unpacked")):
        found = text.catalogues(where, "de")
        names = [name for name, _ in found]
        assert names == [*list(files)[:1], list(files)[2], "po/de.po"]
        assert [len(catalogue) for _, catalogue in found] == [8, 4, 8]
        assert [name[-6:] for name, _ in text.catalogues(where, "de", "mo")] == ["ngo.mo", "nly.mo"]
        assert len(text.catalogues(where, "de", "po")) == 2
        assert [name for name, _ in text.catalogues(where, "pt-br")] == [list(files)[4]]
        assert text.catalogues(where, "xx") == []
        with pytest.raises(ValueError, match=r"de_AT.*'damaged' begins with no keyword"):
            text.catalogues(where, "de_AT")
    member = text.read_catalogue(wheel, "po/de.po")
    assert ours(member) == ours(text.read_catalogue(PO))
    with pytest.raises(ValueError, match=r"read_catalogue: .*app\.whl: the archive has no member"):
        text.read_catalogue(wheel, "po/fr.po")
    with pytest.raises(ValueError, match=r"catalogues: .*not a sound zip archive"):
        text.catalogues(tmp_path / "unpacked" / "po" / "de.po", "de")
    with pytest.raises(FileNotFoundError, match="catalogues"):
        text.catalogues(tmp_path / "nothing", "de")
    with pytest.raises(ValueError, match="kind must be"):
        text.catalogues(wheel, "de", "xliff")
