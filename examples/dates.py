"""Read dates in many styles and languages, and write them as ISO 8601 does.

    python examples/dates.py                                  # train, judge, draw and save
    python examples/dates.py "le 1er mars 1987" "3 MAR '87"   # read these with what was saved

A network with attention reads a date letter by letter and writes ten letters. Babel writes the
dates to learn from, in 32 locales; some styles are written by hand. A tenth of all days from 1969
to 2068 is never seen in training, and four languages are not: Galician, Norwegian and Slovak, which
have relatives among those that are, and Basque, which has none.
"""

import argparse
import re
import sys
from datetime import date, timedelta

import numpy as np
from babel import Locale
from babel.dates import format_date, format_skeleton
from command import parse

import tinytensor as tt
from tinytensor.data import DataLoader
from tinytensor.models import Seq2Seq
from tinytensor.optim.lr_scheduler import CosineAnnealingLR
from tinytensor.text import Characters, LengthBuckets, padded
from tinytensor.train import fit, next_token_loss
from tinytensor.viz import plot_alignments

SEEN = {
    "af": "Afrikaans", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en_GB": "British", "en_US": "American", "es": "Spanish",
    "et": "Estonian", "fr": "French", "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sl": "Slovenian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese",
    "zh": "Chinese", "zh_Hant": "Chinese in traditional letters",
}  # fmt: skip
UNSEEN = {"gl": "Galician", "nb": "Norwegian", "sk": "Slovak", "eu": "Basque"}

# Two digits of a year mean 1969 to 2068, as in POSIX.
FIRST, DAYS = date(1969, 1, 1), (date(2069, 1, 1) - date(1969, 1, 1)).days

# --- Dates and how they are written ------------------------------------------------------------

ROMAN = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]


def nth(day):
    """1st, 2nd, 3rd, 4th …"""
    return f"{day}{'th' if 10 < day < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def by_pattern(pattern):
    return lambda day, locale: format_date(day, pattern, locale)


def by_skeleton(skeleton):
    return lambda day, locale: format_skeleton(skeleton, day, locale=locale)


EVERYWHERE = [
    *map(by_pattern, ("short", "medium", "long", "full")),  # the locale's own
    *map(by_skeleton, ("yMd", "yMEd", "yMMMd", "yMMMEd")),
    *map(by_pattern, ("y-MM-dd", "y.MM.dd", "d.M.y", "dd/MM/y", "dd.MM.yy")),
    lambda day, _: f"{day.day}.{ROMAN[day.month]}.{day.year}",
    *map(by_pattern, ("d MMM y", "dd-MMM-y", "d MMM ''yy", "d MMMM y")),
]
BY_HAND = {
    "de": [by_pattern("'den' d. MMMM y"), by_pattern("EEEE, 'den' d. MMMM y")],
    "en": [
        lambda day, locale: f"the {nth(day.day)} of {format_date(day, 'MMMM y', locale)}",
        lambda day, locale: f"{format_date(day, 'MMMM', locale)} {nth(day.day)}, {day.year}",
        lambda day, locale: f"{nth(day.day)} {format_date(day, 'MMM y', locale)}",
    ],
    "es": [by_pattern("d 'de' MMMM 'del' y"), by_pattern("'el' d 'de' MMMM 'de' y")],
    "fr": [
        lambda day, locale: (
            f"le {'1er' if day.day == 1 else day.day} {format_date(day, 'MMMM y', locale)}"
        )
    ],
}


def styles_of(locale):
    """Functions of a day that write it, as one does in a locale.

    What is written in numbers alone has one order in all locales: the day, the month, the year, or
    the four digits of the year first. Others, such as the American 3/4/21, could not be told from
    it.
    """
    locale = Locale.parse(locale)
    found = []
    for style in EVERYWHERE + BY_HAND.get(locale.language, []):
        numbers = [int(number) for number in re.findall(r"\d+", style(date(1987, 2, 3), locale))]
        if len(numbers) < 3 or numbers in ([3, 2, 1987], [3, 2, 87], [1987, 2, 3]):
            found.append(lambda day, style=style: style(day, locale))
    return found


def day_of(number):
    return FIRST + timedelta(int(number))


def unseen_days(share=0.1):
    """Whether each day is kept from training."""
    return np.random.default_rng(0).random(DAYS) < share


def written(locales, days, count, seed):
    """``count`` dates in styles of ``locales``, and each in ISO 8601.

    ``days`` says which may occur. One in five is all in capitals, one in five has none.
    """
    rng = np.random.default_rng(seed)
    styles = [styles_of(locale) for locale in locales]
    days = np.flatnonzero(days)
    texts, isos = [], []
    for _ in range(count):
        of_locale = styles[rng.integers(len(styles))]
        style = of_locale[rng.integers(len(of_locale))]
        day = FIRST + timedelta(int(days[rng.integers(len(days))]))
        text = " ".join(style(day).split())  # some spaces are no-break ones
        case = rng.integers(5)
        texts.append(text.upper() if case == 0 else text.lower() if case == 1 else text)
        isos.append(day.isoformat())
    return texts, isos


# --- The network -------------------------------------------------------------------------------

DIGITS = Characters.of(["0123456789-"])  # what a date is written with in ISO 8601
LENGTH = len("1969-01-01")


class Reader:
    """A network that reads dates, and the letters that it knows."""

    def __init__(self, letters):
        self.letters = letters
        self.model = Seq2Seq(len(letters), len(DIGITS), embedding=64, hidden=128, cell="gru")

    def batch(self, texts):
        return padded([self.letters.encode(text) for text in texts], self.letters.pad)

    def read(self, texts, beams=1):
        """The same in ISO 8601."""
        found = []
        for i in range(0, len(texts), 500):
            source, lengths = self.batch(texts[i : i + 500])
            found += self.model.generate(
                source, lengths, DIGITS.bos, DIGITS.eos, max_length=LENGTH + 1, beams=beams
            )
        return [DIGITS.decode(numbers) for numbers in found]

    def right(self, texts, isos):
        """The share of the dates that are read without a mistake."""
        return float(np.mean([a == b for a, b in zip(self.read(texts), isos, strict=True)]))

    def alignments(self, texts, isos):
        """What the network looks at as it writes each letter: weights (N, letters, letters)."""
        source, lengths = self.batch(texts)
        return self.model.align(source, lengths, before(isos))

    def learn(self, texts, isos, epochs, seed, watch):
        sources = [self.letters.encode(text) for text in texts]
        targets = np.array([DIGITS.encode(iso, eos=True) for iso in isos])
        first = before(isos)

        def batch(rows):
            source, lengths = padded([sources[i] for i in rows], self.letters.pad)
            return tt.tensor(source), lengths, tt.tensor(first[rows]), tt.tensor(targets[rows])

        lengths = [len(source) for source in sources]
        sampler = LengthBuckets(lengths, 64, generator=seed)
        loader = DataLoader(range(len(texts)), batch_sampler=sampler, collate=batch)
        optimizer = tt.optim.Adam(self.model.parameters(), lr=2e-3)
        scheduler = CosineAnnealingLR(optimizer, epochs * len(loader))
        return fit(
            self.model, loader, optimizer, next_token_loss, epochs, scheduler=scheduler,
            max_norm=1.0, evaluate=lambda _: {"right": self.right(*watch)},
            progress=f"seed {seed}",
        )  # fmt: skip


def before(isos):
    """What the network has written before each letter: the begin, and what it should have been."""
    return np.array([DIGITS.encode(iso, bos=True) for iso in isos])


# --- Runs --------------------------------------------------------------------------------------


def by_name(text):
    """Whether a month is written by its name, or as a Roman number: two numbers are left."""
    return len(re.findall(r"\d+", text)) < 3


def train(seeds, count, epochs, out):
    """Train one network for each seed, and print how often it is right; draw and save the first."""
    unseen = unseen_days()
    few = max(count // 20, 50)
    texts, isos = written(list(SEEN), ~unseen, count, seed=0)
    tests = {"unseen days": written(list(SEEN), unseen, few, seed=1)}
    for locale, language in UNSEEN.items():
        tests[language] = written([locale], unseen, few // 2, seed=2)
    letters = Characters.of(texts, min_frequency=2)
    print(
        f"{count:,} dates to train on, in {len(SEEN)} locales and with {len(letters)} letters;"
        f" {int(unseen.sum()):,} of {DAYS:,} days are never among them"
    )
    scores = {name: [] for name in tests}
    for seed in seeds:
        tt.manual_seed(seed)
        reader = Reader(letters)
        reader.learn(texts, isos, epochs, seed, [part[:500] for part in tests["unseen days"]])
        for name, test in tests.items():
            named = [pair for pair in zip(*test, strict=True) if by_name(pair[0])]
            scores[name].append((reader.right(*test), reader.right(*zip(*named, strict=True))))
        if seed == seeds[0]:
            reader.letters.save(out / "dates.json")
            tt.save(out / "dates.safetensors", reader.model.state_dict())
            draw(reader, out / "dates.png")
            for name, test in tests.items():
                show_mistakes(name, reader, test)
    print(f"right, for seed {', '.join(map(str, seeds))}{'of months by name':>40}")
    for name, found in scores.items():
        columns = [
            ", ".join(f"{score:.1%}" for score in column) for column in zip(*found, strict=True)
        ]
        print(f"   {name:12} {columns[0]:24} {columns[1]}")


def show_mistakes(name, reader, test, most=3):
    texts, isos = (part[:500] for part in test)
    wrong = [row for row in zip(texts, reader.read(texts), isos, strict=True) if row[1] != row[2]]
    for text, read, iso in wrong[:most]:
        print(f"   {name}: {text} was read as {read}, not {iso}")


def draw(reader, path):
    """Draw what the network looks at as it writes each letter of some dates."""
    texts = [
        "Samstag, den 7. November 2043",
        "le 1er mars 1987",
        "21.XII.1999",
        "9 DE MAIO DE 2012",
    ]
    isos = ["2043-11-07", "1987-03-01", "1999-12-21", "2012-05-09"]
    figure = plot_alignments(reader.alignments(texts, isos), texts, isos, columns=1)
    figure.savefig(path, dpi=70)


def read_again(texts, out, beams):
    """Print dates in ISO 8601, by what was saved."""
    weights = out / "dates.safetensors"
    if not weights.exists():
        sys.exit(f"dates.py: there is no {weights}; `python examples/dates.py` trains the network")
    reader = Reader(Characters.load(out / "dates.json"))
    reader.model.load_state_dict(tt.load(weights))
    for text, iso in zip(texts, reader.read(texts, beams), strict=True):
        print(f"{iso}   {text}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dates", nargs="*", help="read these, by what was saved; or train")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--count", type=int, default=60_000, help="dates to train on (60,000)")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--beams", type=int, default=1, help="of the search (1: greedy)")
    arguments = parse(parser, "a short training that learns little")
    if arguments.dates:
        read_again(arguments.dates, arguments.out, arguments.beams)
    elif arguments.quick:
        train([0], 2000, 2, arguments.out)
        read_again(["2031-05-09"], arguments.out, 4)
    else:
        train(arguments.seeds, arguments.count, arguments.epochs, arguments.out)


if __name__ == "__main__":
    main()
