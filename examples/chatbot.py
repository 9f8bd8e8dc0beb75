"""A chatbot that has learned from dialogues answers twice: by retrieval, and word by word.

    pip download --no-deps chatterbot-corpus        # a wheel of dialogues, less than 1 MB
    python examples/chatbot.py                      # learns, then talks; an empty line ends it
    python examples/chatbot.py --prompt "Are you a robot?"
    python examples/chatbot.py --train              # how good is it on dialogues never seen?

The dialogues are looked for in the package chatterbot-corpus, if it is installed, and in its wheel,
if one lies here; --corpus FOLDER_OR_WHEEL names others. What was learned is kept in out/chatbot
(--save, --load) and talks at once the next time.

Retrieval chooses among known answers: question and answer are encoded by one LSTM and compared
(Lowe, Pow, Serban and Pineau 2015, "The Ubuntu dialogue corpus"), and by the pieces of words that
they share (TF-IDF). The other writes an answer of its own (Vinyals and Le 2015, "A neural
conversational model"): an LSTM reads the question, another one writes, by beam search.
"""

import argparse
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from command import parse
from matplotlib.figure import Figure
from sklearn.feature_extraction.text import TfidfVectorizer

import tinytensor as tt
from tinytensor import nn
from tinytensor.data import DataLoader
from tinytensor.models import Seq2Seq
from tinytensor.nn import functional as F
from tinytensor.text import Collate, LengthBuckets, Words, padded, read_dialogues, replies
from tinytensor.train import fit

AMONG = 50  # answers, of which one is right
WEIGHT = 20  # of TF-IDF in a score; of 5 to 30 the best where a fifth of what is seen was held out
LONGEST = 32  # words of a text that are read

# --- Dialogues -----------------------------------------------------------------------------------


class Pair(NamedTuple):
    """What was said, what was answered, and the number of the group of dialogues."""

    question: str
    answer: str
    group: int


def corpus_on_this_machine():
    """The installed package's folder, or a wheel in this folder; None if there is neither."""
    package = find_spec("chatterbot_corpus")
    if package is not None:
        return Path(package.origin).parent
    return next(iter(sorted(Path().glob("chatterbot_corpus-*.whl"), reverse=True)), None)


def plain(text):
    """A text without capitals and punctuation: what is plainly the same is the same text."""
    return re.sub(r"\W+", " ", text.lower()).strip()


def pairs_of(dialogues):
    """Each question with its answer, once. Dialogues that share a text are of one group, and so are
    those that share one with these: apart, groups have no text in common."""
    parent = {}

    def root(text):
        while parent.setdefault(text, text) != text:
            text = parent[text]
        return text

    found = {}
    for question, answer in replies(dialogues):
        key = plain(question), plain(answer)
        if all(key) and key[0] != key[1]:
            found.setdefault(key, (question, answer))
            parent[root(key[1])] = root(key[0])
    numbers = {}
    return [
        Pair(*pair, numbers.setdefault(root(key[0]), len(numbers))) for key, pair in found.items()
    ]


def split(pairs, seed, share=0.2):
    """Pairs to train on; and of each of the groups that are held out one pair."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(max(pair.group for pair in pairs) + 1)
    unseen = {int(group): [] for group in groups[: int(len(groups) * share)]}
    for pair in pairs:
        if pair.group in unseen:
            unseen[pair.group].append(pair)
    held_out = [members[rng.integers(len(members))] for members in unseen.values()]
    return [pair for pair in pairs if pair.group not in unseen], held_out


def recalls(scores, seed, draws=20):
    """How often the right answer is the best, and among the best five, of AMONG answers.

    ``scores`` (N, N) are those of question i with answer j; the right one is i, and the others are
    drawn from those of other questions, ``draws`` times. A tie counts against the right one.
    """
    rng = np.random.default_rng(seed)
    count = len(scores)
    others = min(AMONG, count) - 1
    ranks = []
    for i in np.tile(np.arange(count), draws):
        drawn = rng.permutation(count - 1)[:others]
        drawn += drawn >= i
        ranks.append((scores[i, drawn] >= scores[i, i]).sum())
    return np.mean(np.array(ranks) < 1), np.mean(np.array(ranks) < 5)


def numbers_of(words, texts):
    """The words of texts in numbers: (N, T), and lengths (N,). A text has one word at least."""
    return padded([words.encode(text)[:LONGEST] or [words.unknown] for text in texts])


# --- Retrieval -----------------------------------------------------------------------------------


class Pieces:
    """TF-IDF: the cosine of two texts by what they share, rare pieces of words counting more."""

    def __init__(self, pairs, **how):
        self.vectors = TfidfVectorizer(**how)
        self.vectors.fit([text for pair in pairs for text in pair[:2]])

    def __call__(self, texts):
        return self.vectors.transform(texts)

    def scores(self, questions, answers):
        return (self(questions) @ self(answers).T).toarray().astype(np.float32)


PIECES = {"analyzer": "char_wb", "ngram_range": (3, 5), "sublinear_tf": True}


class DualEncoder(nn.Module):
    """Scores (N, M) of questions and answers, each encoded by the same LSTM.

    With ``pooled`` a code is the largest of the states of both directions at any word, and the
    score is 10 β times the cosine of M q and a; otherwise, as Lowe et al. have it, a code is the
    last state, and the score is aᵀ M q. M and β are learned.
    """

    def __init__(self, vocabulary, embedding=100, hidden=128, pooled=True, dropout=0.3):
        super().__init__()
        self.pooled = pooled
        self.embed = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, bidirectional=pooled)
        self.dropout = nn.Dropout(dropout)
        size = hidden * (1 + pooled)
        self.bilinear = nn.Parameter(tt.eye(size) / (1 if pooled else size**0.5))
        if pooled:
            self.scale = nn.Parameter(tt.ones(1))

    def encode(self, texts):
        tokens, lengths = texts
        states, last = self.lstm(self.dropout(self.embed(tokens)), lengths=lengths)
        if not self.pooled:
            return self.dropout(last[0][-1])
        behind = np.arange(states.shape[1]) >= np.asarray(lengths)[:, None]
        return self.dropout(states.masked_fill(behind[:, :, None], -1.0).max(1))

    def forward(self, questions, answers):
        q, a = self.encode(questions) @ self.bilinear, self.encode(answers)
        return 10 * self.scale * (F.normalize(q) @ F.normalize(a).mT) if self.pooled else q @ a.mT


class InBatch:
    """Batches of pairs; in each, the other pairs' answers are the wrong ones.

    A batch is (questions, answers, which are of one group, the right answers' numbers). A tenth of
    the words is forgotten, so that unknown ones are met.
    """

    def __init__(self, pairs, words, size, seed):
        self.words, self.size, self.rng = words, size, np.random.default_rng(seed)
        *texts, groups = zip(*pairs, strict=True)
        self.texts = [numbers_of(words, column) for column in texts]
        self.groups = np.array(groups)

    def __len__(self):
        return max(len(self.groups) // self.size, 1)

    def __iter__(self):
        order = self.rng.permutation(len(self.groups))
        for i in range(len(self)):
            rows = order[i * self.size : (i + 1) * self.size]
            q, a = (self._forgetful(tokens[rows], n[rows]) for tokens, n in self.texts)
            same = self.groups[rows][:, None] == self.groups[rows]
            np.fill_diagonal(same, False)
            yield q, a, same, np.arange(len(rows))

    def _forgetful(self, tokens, lengths):
        tokens = tokens[:, : lengths.max()]
        forgotten = (self.rng.random(tokens.shape) < 0.1) & (tokens != self.words.pad)
        return tt.tensor(np.where(forgotten, self.words.unknown, tokens)), lengths


def compare(model, batch):
    questions, answers, same, right = batch
    return model(questions, answers).masked_fill(same, -1e4), tt.tensor(right)


def choose_both_ways(scores, right):
    """Cross-entropy of the right answer among all, and of the right question among all."""
    return (F.cross_entropy(scores, right) + F.cross_entropy(scores.mT, right)) / 2


def learn_to_choose(pairs, words, seed, epochs, **how):
    tt.manual_seed(seed)
    model = DualEncoder(len(words), **how)
    batches = InBatch(pairs, words, 64, seed)
    optimizer = tt.optim.AdamW(model.parameters(), lr=2e-3)
    how = {"forward": compare, "max_norm": 1.0, "progress": "retrieval"}
    fit(model, batches, optimizer, choose_both_ways, epochs, **how)
    return model.eval()


@tt.no_grad()
def scores_of(model, words, questions, answers):
    texts = (numbers_of(words, column) for column in (questions, answers))
    return model(*((tt.tensor(tokens), lengths) for tokens, lengths in texts)).numpy()


# --- Word by word --------------------------------------------------------------------------------


def write(model, batch):
    """Logits of the words of answers, and these words; the question comes first in a batch."""
    (questions, lengths), (answers, _) = batch
    return model(questions, lengths.numpy(), answers[:, :-1]), answers[:, 1:]


def new_writer(words):
    size = len(words)
    return Seq2Seq(size, size, embedding=100, hidden=128, attention="general", dropout=0.3)


def learn_to_write(pairs, words, seed, epochs):
    tt.manual_seed(seed)
    model = new_writer(words)
    samples = [
        (
            words.encode(pair.question)[:LONGEST] or [words.unknown],
            words.encode(pair.answer, bos=True, eos=True)[: LONGEST + 1],
        )
        for pair in pairs
    ]
    buckets = LengthBuckets([len(answer) for _, answer in samples], 32, generator=seed)
    loader = DataLoader(samples, batch_sampler=buckets, collate=Collate(pad=words.pad))
    optimizer = tt.optim.AdamW(model.parameters(), lr=2e-3)

    def loss(logits, targets):
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=words.pad)

    how = {"forward": write, "max_norm": 1.0, "progress": "word by word"}
    fit(model, loader, optimizer, loss, epochs, **how)
    return model.eval()


@tt.no_grad()
def likelihoods(model, words, questions, answers):
    """log p(answer | question), less its mean over the questions: (N, M).

    The mean stands for log p(answer): otherwise short answers would suit any question.
    """
    source, lengths = numbers_of(words, questions)
    target, _ = padded([words.encode(a, bos=True, eos=True)[: LONGEST + 1] for a in answers])
    found = np.empty((len(questions), len(answers)))
    for i in range(len(questions)):
        again = np.repeat(source[i : i + 1, : lengths[i]], len(target), 0)
        logits = model(again, np.full(len(target), lengths[i]), target[:, :-1])
        losses = F.cross_entropy(
            logits.flatten(0, 1),
            tt.tensor(target[:, 1:].ravel()),
            ignore_index=words.pad,
            reduction="none",
        )
        found[i] = -losses.numpy().reshape(len(target), -1).sum(1)
    return found - found.mean(0)


# --- The bot -------------------------------------------------------------------------------------


class Bot:
    """Pairs, the words in them, and two networks that have learned from them."""

    def __init__(self, pairs, words, retriever, writer):
        self.pairs, self.words, self.retriever, self.writer = pairs, words, retriever, writer
        self.pieces = Pieces(pairs, **PIECES)
        self.questions, self.answers, _ = zip(*pairs, strict=True)

    @classmethod
    def learn(cls, pairs, epochs, seed):
        words = words_of(pairs)
        retriever = learn_to_choose(pairs, words, seed, epochs)
        return cls(pairs, words, retriever, learn_to_write(pairs, words, seed, epochs))

    def choose(self, question):
        """The known answer of the largest score, but no echo; that the question is like the one
        which it answered counts as much as that it is like the answer."""
        scores = scores_of(self.retriever, self.words, [question], self.answers)[0]
        for known in (self.questions, self.answers):
            scores += WEIGHT * self.pieces.scores([question], known)[0]
        scores[[plain(known) == plain(question) for known in self.answers]] = -np.inf
        return self.answers[int(scores.argmax())]

    def write(self, question):
        """An answer by beam search, without unknown words."""
        words = self.words
        source, lengths = numbers_of(words, [question])
        written = self.writer.generate(
            source, lengths, words.bos, words.eos, LONGEST, beams=5, suppress=[words.unknown]
        )
        return words.decode(written[0])

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pairs.json").write_text(json.dumps(self.pairs), encoding="utf-8")
        self.words.save(folder / "words.json")
        tt.save(folder / "retriever.safetensors", self.retriever.state_dict())
        tt.save(folder / "writer.safetensors", self.writer.state_dict())

    @classmethod
    def load(cls, folder):
        pairs = [Pair(*p) for p in json.loads((folder / "pairs.json").read_text(encoding="utf-8"))]
        words = Words.load(folder / "words.json")
        bot = cls(pairs, words, DualEncoder(len(words)), new_writer(words))
        bot.retriever.load_state_dict(tt.load(folder / "retriever.safetensors"))
        bot.writer.load_state_dict(tt.load(folder / "writer.safetensors"))
        return bot


def words_of(pairs):
    """The words that occur twice or more often."""
    return Words.of((text for pair in pairs for text in pair[:2]), min_frequency=2, lower=True)


def talk(bot):
    """Answer what is typed, until a line is empty."""
    print("Say something; an empty line ends it.")
    while True:
        try:
            said = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not said:
            return
        answer(bot, said)


def answer(bot, said):
    print(f"retrieval:     {bot.choose(said)}")
    print(f"word by word:  {bot.write(said)}")


# --- Judging -------------------------------------------------------------------------------------


def judge(pairs, seeds, epochs, quick, out):
    """Print recalls on unseen dialogues, for each seed others, and what the last bot answers."""
    found = {}
    for seed in seeds:
        seen, unseen = split(pairs, seed, share=0.05 if quick else 0.2)
        questions, answers, _ = zip(*unseen, strict=True)
        print(f"seed {seed}: {len(seen)} pairs to learn from, {len(unseen)} held out", flush=True)
        words, pieces = words_of(seen), Pieces(seen, **PIECES)
        lowe = learn_to_choose(seen, words, seed, epochs, pooled=False)
        retriever = learn_to_choose(seen, words, seed, epochs)
        writer = learn_to_write(seen, words, seed, epochs)
        tfidf = pieces.scores(questions, answers)
        encoder = scores_of(retriever, words, questions, answers)
        by = {
            "TF-IDF of words": Pieces(seen).scores(questions, answers),
            "TF-IDF of pieces of words": tfidf,
            "dual encoder (Lowe et al.)": scores_of(lowe, words, questions, answers),
            "dual encoder, pooled": encoder,
            "dual encoder, pooled, and TF-IDF": encoder + WEIGHT * tfidf,
            "seq2seq, by likelihood": likelihoods(writer, words, questions, answers),
        }
        for name, scores in by.items():
            found.setdefault(name, []).append(recalls(scores, seed))
    print(f"recall@1 and recall@5 among {min(AMONG, len(unseen))}, seeds {seeds}:")
    for name, each in found.items():
        ones, fives = 100 * np.array(each).T
        spread = ["  ".join(f"{value:4.1f}" for value in row) for row in (ones, fives)]
        print(f"  {name:33} {ones.mean():4.1f}% ({spread[0]})   {fives.mean():4.1f}% ({spread[1]})")
    draw_recalls(found, out / "chatbot.png")
    bot = Bot(seen, words, retriever, writer)
    print("\nunseen questions:")
    for pair in unseen[: 2 if quick else 8]:
        print(f"> {pair.question}\nright:         {pair.answer}")
        answer(bot, pair.question)


def draw_recalls(found, path):
    """A bar for each mean of recall@1 and @5, and a dot for each seed; a line at chance."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    axes = figure.subplots()
    for offset, k, colour in ((-0.2, 0, "tab:blue"), (0.2, 1, "tab:orange")):
        rank = (1, 5)[k]
        rows = np.arange(len(found)) + offset
        values = 100 * np.array(list(found.values()))[:, :, k]
        axes.barh(rows, values.mean(1), 0.38, color=colour, label=f"recall@{rank}")
        axes.plot(values.T, np.broadcast_to(rows, values.T.shape), "k.", markersize=4)
        axes.axvline(100 * rank / AMONG, color=colour, linestyle=":")
    axes.set_yticks(np.arange(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xlabel(f"% of questions, among {AMONG} answers; dotted: by chance")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, help="chatterbot-corpus's wheel, or a folder")
    parser.add_argument("--language", default="english", help="a folder of the corpus (english)")
    parser.add_argument(
        "--train", action="store_true", help="train and judge, with dialogues apart"
    )
    parser.add_argument("--prompt", help="answer this once")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="to judge by (0 1 2)"
    )
    parser.add_argument("--save", type=Path, help="where what is learned is kept")
    parser.add_argument("--load", type=Path, help="talk as what is kept in this folder")
    arguments = parse(parser)
    kept = arguments.load or arguments.out / "chatbot"
    if arguments.load or (kept.is_dir() and not (arguments.train or arguments.quick)):
        bot = Bot.load(kept)
    else:
        corpus = arguments.corpus or corpus_on_this_machine()
        if corpus is None:
            sys.exit(
                "chatbot.py: no dialogues; `pip download --no-deps chatterbot-corpus` brings them"
            )
        pairs = pairs_of(read_dialogues(corpus, language=arguments.language))
        epochs, seeds = (1, [0]) if arguments.quick else (arguments.epochs, arguments.seeds)
        if arguments.train or arguments.quick:
            judge(pairs, seeds, epochs, arguments.quick, arguments.out)
        if arguments.train and not arguments.quick:
            return
        bot = Bot.learn(pairs, epochs, seed=0)
        bot.save(arguments.save or arguments.out / f"chatbot{'_quick' * arguments.quick}")
    if arguments.prompt or arguments.quick:
        answer(bot, arguments.prompt or "Are you a robot?")
    else:
        talk(bot)


if __name__ == "__main__":
    main()
