"""What the examples that read and translate are given to learn from: dates and messages."""

import struct
import sys
import zipfile
from datetime import date
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_c

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True, scope="module")
def beside_the_examples():
    sys.path.insert(0, str(ROOT / "examples"))
    yield
    sys.path.remove(str(ROOT / "examples"))


# --- Dates -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dates():
    pytest.importorskip("babel")
    import dates

    return dates


def test_dates_are_written_in_the_styles_of_their_locale(dates):
    def all_of(locale, day):
        return {" ".join(style(day).split()) for style in dates.styles_of(locale)}

    french = all_of("fr", date(1987, 3, 1))
    assert {"1 mars 1987", "dim. 1 mars 1987", "le 1er mars 1987", "1.III.1987"} <= french
    english = all_of("en_US", date(2021, 11, 23))
    assert {"Nov 23, 2021", "the 23rd of November 2021", "23 Nov '21"} <= english
    assert "11/23/2021" not in english  # a month before its day, in numbers alone
    assert "21. 3. 4." not in all_of("ko", date(2021, 3, 4))
    assert {"2021年3月4日", "2021-03-04"} <= all_of("ja", date(2021, 3, 4))


def test_ordinals(dates):
    assert [dates.nth(day) for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "30th"]
    )


def test_no_text_is_written_for_two_dates(dates):
    unseen = dates.unseen_days()
    texts, isos = dates.written([*dates.SEEN, *dates.UNSEEN], ~unseen, 4000, seed=0)
    meant = {}
    for text, iso in zip(texts, isos, strict=True):
        assert meant.setdefault(text, iso) == iso, text
    assert {text == text.upper() for text in texts} == {True, False}
    again = dates.written([*dates.SEEN, *dates.UNSEEN], ~unseen, 4000, seed=0)
    assert again == (texts, isos)


def test_unseen_days_and_locales_are_not_trained_on(dates):
    unseen = dates.unseen_days()
    assert 0.09 < unseen.mean() < 0.11
    assert not dates.SEEN.keys() & dates.UNSEEN.keys()
    trained = set(dates.written(list(dates.SEEN), ~unseen, 3000, seed=0)[1])
    tested = set(dates.written(list(dates.SEEN), unseen, 3000, seed=1)[1])
    assert not trained & tested
    assert min(trained | tested) >= "1969-01-01"
    assert max(trained | tested) <= "2068-12-31"


def test_which_months_are_written_by_name(dates):
    names = ["3 mars 1987", "3.III.1987", "Mar 3, 1987", "3 MAR '87"]
    numbers = ["3.3.1987", "lun. 03/03/1987", "1987年3月3日", "1987-03-03"]
    assert [dates.by_name(text) for text in names + numbers] == [True] * 4 + [False] * 4


# --- Messages ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def messages():
    for package in ("sklearn", "tokenizers", "sacrebleu"):
        pytest.importorskip(package)
    import messages as module

    return module


def test_slots_are_marked_and_come_back(messages):
    english = '<a href="%(url)s">Edit</a> {name},\n   or %s &amp; https://x.org/a?b=c'
    text, slots = messages.without_slots(english)
    assert text == "①Edit② ③, or ④ ⑤ ⑥"
    assert slots == ['<a href="%(url)s">', "</a>", "{name}", "%s", "&amp;", "https://x.org/a?b=c"]
    assert messages.with_slots(text, slots) == " ".join(english.split())
    assert messages.with_slots("⑦ ② ①", slots) == '</a> <a href="%(url)s">'  # of ⑦ there is none
    assert messages.without_slots("50 % sure, 100%, 5 < 6 > 4")[1] == ["< 6 >"]


def test_what_is_no_pair(messages):
    assert messages.pair_of("%s files", "%s Dateien") == ("① files", "① Dateien", ["%s"])
    assert messages.pair_of("%s files", "eine Datei") is None
    assert messages.pair_of("files", "%d Dateien") is None
    assert messages.pair_of("<b>file</b>", "<i>Datei</i>") is None
    assert messages.pair_of("%s: 3", "%s: 3") is None  # no word in it
    assert messages.pair_of("word " * 41, "Wort") is None
    assert messages.pair_of("{a}{b}{c}{d}{e}{f}{g}{h}{i} x", "{a} x") is None


def catalogue(pairs):
    """The bytes of a .mo file."""
    pairs = sorted([("", "Content-Type: text/plain; charset=UTF-8\n"), *pairs])
    texts = [[text.encode() for text in column] for column in zip(*pairs, strict=True)]
    place = 28 + 16 * len(pairs)
    tables, content = b"", b""
    for column in texts:
        for text in column:
            tables += struct.pack("<2I", len(text), place + len(content))
            content += text + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + tables + content


def test_wheels_are_read_and_split_without_leaks(messages, tmp_path):
    common = [("Save", "Sichern"), ("Delete %(name)s?", "%(name)s löschen?")]
    own = {
        "django": [*common, *((f"Word {'x' * i}", f"Wort {'x' * i}") for i in range(60))],
        "wagtail": [("save!", "Speichern!"), *((f"Page {'y' * i}", "Seite") for i in range(20))],
    }
    for package, pairs in own.items():
        with zipfile.ZipFile(tmp_path / f"{package}-1.0-py3-none-any.whl", "w") as wheel:
            for language in messages.LANGUAGES:
                path = f"{package}/locale/{language}/LC_MESSAGES/django.mo"
                wheel.writestr(path, catalogue(pairs))
    where = messages.places(tmp_path)
    assert {package: path.name for package, path in where.items()} == {
        package: f"{package}-1.0-py3-none-any.whl" for package in ("django", "wagtail")
    }
    found = {
        package: {language: messages.pairs_of(path, language) for language in messages.LANGUAGES}
        for package, path in where.items()
    }
    assert ("Delete ①?", "① löschen?", ["%(name)s"]) in found["django"]["de"]
    assert [len(found[package]["fr"]) for package in own] == [62, 21]
    parts = messages.split(found, "wagtail")
    bare = {
        part: {messages.bare(source) for pairs in of.values() for source, _, _ in pairs}
        for part, of in parts.items()
    }
    assert sum(map(len, bare.values())) == len(set().union(*bare.values())) == 62 + 20
    assert len(bare["unseen"]) == 20  # "save!" is Django's too
    assert all(bare.values())
    sources = [source for source, _, _ in parts["unseen"]["de"]]
    assert len(sources) == len(set(sources))


def test_the_memory_answers_with_what_is_most_alike(messages):
    memory = messages.Memory([("Delete ①", "① löschen", []), ("Save changes", "Sichern", [])])
    found = memory.translate(["Delete page ①", "Save all changes"])
    assert found == ["① löschen", "Sichern"]
