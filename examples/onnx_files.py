"""Two networks that others publish as ONNX files: one hears where somebody speaks, one reads lines.

    pip download --no-deps silero-vad rapidocr-onnxruntime  # wheels of 11 and 15 MB, with the files
    python examples/onnx_files.py hear RECORDING.wav  # the seconds in which somebody speaks
    python examples/onnx_files.py hear                # of vowels that are made here
    python examples/onnx_files.py read PICTURE.png    # the lines of text in a picture
    python examples/onnx_files.py read                # of a picture that is drawn here
    python examples/onnx_files.py hear --compare      # beside onnxruntime: differences, times

Silero's detector of voices is convolutions, an LSTM and 25 Ifs, and is given 32 ms at a time.
PP-OCR is a network that finds text, by a map of the picture (Liao et al. 2020), and one that reads
a line (Du et al. 2022). ``tt.onnx.load`` makes modules of all three: they have parameters, and can
be trained further. The files are looked for in the packages, if they are installed, and in their
wheels, if these lie here.
"""

import argparse
import sys
import time
import wave
import zipfile
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import numpy as np
from command import parse
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage, signal

import tinytensor as tt

RATE = 16_000  # samples a second
CHUNK, BEFORE = 512, 64  # samples that are judged, and that the network sees before them
SPEAKS, SILENT = 0.5, 0.35  # probabilities at which speech begins, and at which it ends
SHORTEST, PAUSE = 0.25, 0.1  # seconds: of speech, and of silence in it that counts

# --- Files ---------------------------------------------------------------------------------------


def file_of(package, name):
    """The bytes of a file of a package that is installed, or whose wheel lies here; None if there
    is neither."""
    spec = find_spec(package)
    if spec is not None:
        return (Path(spec.origin).parent / name).read_bytes()
    for wheel in sorted(Path().glob(f"{package}-*.whl"), reverse=True):
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(f"{package}/{name}")
    return None


class Network:
    """A file's network. With ``compare`` onnxruntime is asked the same, too."""

    def __init__(self, package, name, compare):
        file = file_of(package, name)
        if file is None:
            raise FileNotFoundError(f"`pip download --no-deps {package.replace('_', '-')}`")
        self.module = tt.onnx.load(file)
        self.other, self.seconds, self.difference = None, [0.0, 0.0], 0.0
        if compare:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = tt.get_num_threads()
            self.other = onnxruntime.InferenceSession(file, options)

    def __call__(self, **inputs):
        """The outputs as arrays."""
        start = time.perf_counter()
        with tt.no_grad():
            found = self.module(**inputs)
        outputs = [np.asarray(y) for y in (found if isinstance(found, tuple) else (found,))]
        middle = time.perf_counter()
        if self.other is not None:
            others = self.other.run(None, inputs)
            self.seconds[0] += middle - start
            self.seconds[1] += time.perf_counter() - middle
            for ours, theirs in zip(outputs, others, strict=True):
                away = np.abs(ours - theirs).max(initial=0) / max(1, np.abs(theirs).max(initial=0))
                self.difference = max(self.difference, float(away))
        return outputs

    def tell(self, what):
        """How far from onnxruntime it was, and how long both took. Ends the program if far."""
        if self.other is None:
            return
        ours, theirs = self.seconds
        print(f"{what}: {ours:.3f} s, onnxruntime {theirs:.3f} s; apart {self.difference:.1e}")
        if self.difference > 5e-4:
            sys.exit("onnx_files.py: this is not what onnxruntime gives")


# --- Hearing -------------------------------------------------------------------------------------


def recording(path):
    """The samples of a WAV file, RATE a second, from −1 to 1; channels are mixed."""
    with wave.open(str(path)) as file:
        width, rate = file.getsampwidth(), file.getframerate()
        data = file.readframes(file.getnframes())
        kind = {1: np.uint8, 2: np.int16, 4: np.int32}.get(width)
        if kind is None:
            sys.exit(f"onnx_files.py: {path} has samples of {width} bytes; 1, 2 and 4 are read")
        samples = np.frombuffer(data, kind).reshape(-1, file.getnchannels()).mean(1)
    samples = (samples - 128) / 128 if width == 1 else samples / 2.0 ** (8 * width - 1)
    return signal.resample_poly(samples, RATE, rate) if rate != RATE else samples


FORMANTS = {  # of vowels, in Hz (Peterson and Barney 1952)
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}


def vowel(name, seconds, rng):
    """Pulses of a throat through the resonances of a mouth."""
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = 120 * (1 + 0.03 * np.sin(10 * np.pi * t) + 0.1 * (1 - t / seconds))
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    sound = signal.lfilter([1], [1, -0.95], pulses + 0.02 * rng.normal(size=t.size))
    for formant, width in zip(FORMANTS[name], (80, 100, 140), strict=True):
        r = np.exp(-np.pi * width / RATE)
        resonance = [1, -2 * r * np.cos(2 * np.pi * formant / RATE), r * r]
        sound = signal.lfilter([sum(resonance)], resonance, sound)
    return sound * np.hanning(t.size) ** 0.3


def babble():
    """A second of silence, vowels between bursts of noise, the same again, and silence."""
    rng = np.random.default_rng(0)
    parts = [np.zeros(RATE)]
    for _ in range(2):
        for name in rng.choice(list(FORMANTS), 6):
            burst = rng.normal(size=RATE // 16) * (rng.random() < 0.6)
            parts += [0.05 * signal.lfilter([1, -0.9], [1], burst), vowel(name, 0.15, rng)]
        parts.append(np.zeros(RATE))
    sound = np.concatenate(parts)
    return sound / abs(sound).max() / 2 + 0.001 * rng.normal(size=sound.size)


def spoken(samples, network):
    """The probability of each chunk that somebody speaks in it."""
    samples = np.pad(samples, (BEFORE, -len(samples) % CHUNK)).astype(np.float32)
    state, found = np.zeros((2, 1, 128), np.float32), []
    for start in range(0, len(samples) - BEFORE, CHUNK):
        heard = samples[np.newaxis, start : start + BEFORE + CHUNK]
        probability, state = network(input=heard, state=state, sr=np.array(RATE))
        found.append(probability.item())
    return np.array(found)


def spans(probabilities):
    """From which second to which somebody speaks."""
    seconds, found, start, quiet = CHUNK / RATE, [], None, None
    for place, probability in enumerate([*probabilities, 0.0, 0.0, 0.0, 0.0]):
        if probability >= SPEAKS:
            start, quiet = place if start is None else start, None
        elif probability < SILENT and start is not None:
            quiet = place if quiet is None else quiet
            if (place - quiet + 1) * seconds >= PAUSE:
                if (quiet - start) * seconds >= SHORTEST:
                    found.append((start * seconds, quiet * seconds))
                start = quiet = None
    return found


def hear(path, out, compare):
    network = Network("silero_vad", "data/silero_vad.onnx", compare)
    samples = babble() if path is None else recording(path)
    probabilities = spoken(samples, network)
    found = spans(probabilities)
    print(f"{len(samples) / RATE:.2f} s, in which somebody speaks")
    for start, end in found:
        print(f"   from {start:.2f} to {end:.2f} s")
    network.tell(f"{len(probabilities)} chunks of {1000 * CHUNK / RATE:.0f} ms")
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(len(samples)) / RATE, samples, color="0.6", linewidth=0.5)
    axes.plot((np.arange(len(probabilities)) + 0.5) * CHUNK / RATE, probabilities)
    for span in found:
        axes.axvspan(*span, alpha=0.15)
    axes.set(xlabel="seconds", ylabel="signal, probability of speech")
    figure.savefig(out / "heard.png", dpi=100)
    print(f"drawn in {out / 'heard.png'}")


# --- Reading -------------------------------------------------------------------------------------

LINES = ("A graph of another framework,", "read from its ONNX file:", "Conv, LSTM & 25 Ifs (2026)")


def sign():
    """A picture of some lines."""
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    picture = Image.new("RGB", (640, 240), (250, 248, 240))
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(LINES):
        name = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSans-Bold.ttf")[i]
        font = ImageFont.truetype(str(fonts / name), 30)
        draw.text((30, 30 + 65 * i), line, (40, 40, 60), font)
    return picture


def boxes(picture, network):
    """Where lines of text are, from the top to the bottom: left, top, right, bottom."""
    shrink = max(1.0, max(picture.size) / 960)
    size = [max(32, round(side / shrink / 32) * 32) for side in picture.size]
    pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR), np.float32)[..., ::-1]
    mean, deviation = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)
    (text,) = network(x=((pixels / 255 - mean) / deviation).transpose(2, 0, 1)[np.newaxis])
    labels, _ = ndimage.label(text[0, 0] > 0.3)
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[rows, columns] == number
        high, wide = inside.shape
        if min(high, wide) < 4 or text[0, 0][rows, columns][inside].mean() < 0.6:
            continue
        around = 0.75 * high  # the network marks the middle of a line
        left, right = columns.start - around, columns.stop + around
        top, bottom = rows.start - around / 1.6, rows.stop + around / 1.6
        scale = np.array(picture.size) / size
        found.append((left * scale[0], top * scale[1], right * scale[0], bottom * scale[1]))
    return sorted(found, key=lambda box: (round(box[1] / 20), box[0]))


def read_line(picture, network, characters):
    """What a line says, and how sure each character is on average."""
    wide = max(16, round(48 * picture.width / picture.height))
    pixels = np.asarray(picture.resize((wide, 48), Image.Resampling.BICUBIC), np.float32)
    inputs = (pixels[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)[np.newaxis]
    (probabilities,) = network(x=np.ascontiguousarray(inputs))
    best, sure = probabilities[0].argmax(-1), probabilities[0].max(-1)
    new = (best != 0) & (best != np.roll(best, 1))  # CTC: 0 says nothing, and repeats are one
    new[0] = best[0] != 0
    text = "".join(characters[number - 1] for number in best[new])
    return text, float(sure[new].mean()) if new.any() else 0.0


def read(path, out, compare):
    finder, reader = (
        Network("rapidocr_onnxruntime", f"models/ch_PP-OCRv4_{name}_infer.onnx", compare)
        for name in ("det", "rec")
    )
    characters = [*reader.module.metadata["character"].splitlines(), " "]
    picture = sign() if path is None else Image.open(path).convert("RGB")
    drawn = picture.copy()
    draw = ImageDraw.Draw(drawn)
    for box in boxes(picture, finder):
        text, sure = read_line(picture.crop(tuple(map(round, box))), reader, characters)
        if sure > 0.5:
            print(f"   {sure:7.2%}  {text}")
            draw.rectangle(box, outline=(255, 120, 0), width=2)
    finder.tell("finding")
    reader.tell("reading")
    drawn.save(out / "onnx_read.png")
    print(f"drawn in {out / 'onnx_read.png'}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("hear", "read"), help="default: both")
    parser.add_argument("file", nargs="?", type=Path, help="a WAV file, or a picture")
    parser.add_argument("--compare", action="store_true", help="with onnxruntime, if it is there")
    arguments = parse(parser)
    compare = arguments.compare or (arguments.quick and find_spec("onnxruntime") is not None)
    for name, do in (("hear", hear), ("read", read)):
        if arguments.what not in (None, name):
            continue
        try:
            do(arguments.file, arguments.out, compare)
        except FileNotFoundError as error:
            if not arguments.quick:
                sys.exit(f"onnx_files.py: {error}")
            print(f"{name} is left out: {error} brings the file")


if __name__ == "__main__":
    main()
