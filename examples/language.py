"""What the language-model examples share: the corpus, the training and the sample."""

import argparse
from pathlib import Path

import numpy as np

import tinytensor as tt
from tinytensor.data import DataLoader, RandomWindows, Subset, Vocabulary, Windows, stdlib_text
from tinytensor.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from tinytensor.train import bits_per_character, fit, next_token_loss


def arguments(description, steps):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps, help=f"training steps ({steps})")
    parser.add_argument("--quick", action="store_true", help="10 steps, and a short sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: one for each core")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


def learn_to_write_code(name, build, arguments, *, length, batch_size, lr):
    """Train ``build(vocabulary size)`` on the standard library's sources; save it; print a sample.

    Files are either trained on or held out; what is printed as it goes is of those held out.
    """
    steps, sample = (10, 40) if arguments.quick else (arguments.steps, 500)
    if arguments.threads:
        tt.set_num_threads(arguments.threads)
    tt.manual_seed(arguments.seed)

    train_text, held_out_text = stdlib_text()
    vocabulary = Vocabulary.of(train_text, size=96)
    print(f"{len(train_text):,} characters to train on, {len(held_out_text):,} held out")

    model = build(len(vocabulary))
    optimizer = tt.optim.AdamW(model.parameters(), lr, betas=(0.9, 0.99), weight_decay=0.1)
    rising = max(steps // 20, 1)
    warm_up = LinearLR(optimizer, 0.1, total_iters=rising)
    decay = CosineAnnealingLR(optimizer, steps - rising, eta_min=lr / 10)
    scheduler = SequentialLR(optimizer, [warm_up, decay], [rising])

    windows = Windows(vocabulary.encode(held_out_text), length)
    spread = np.linspace(0, len(windows) - 1, 16 if arguments.quick else 512).astype(int)
    held_out = DataLoader(Subset(windows, spread), batch_size=64)
    between = min(250, steps)  # steps between evaluations
    fit(
        model,
        RandomWindows(
            vocabulary.encode(train_text), length, batch_size, between, generator=arguments.seed
        ),
        optimizer,
        next_token_loss,
        epochs=max(steps // between, 1),
        scheduler=scheduler,
        max_norm=1.0,
        evaluate=lambda model: {"held-out bits/character": bits_per_character(model, held_out)},
    )

    arguments.out.mkdir(parents=True, exist_ok=True)
    tt.save(arguments.out / f"{name}.safetensors", model.state_dict())
    start = vocabulary.encode("def ")[None]
    written = model.generate(start, sample, temperature=0.8, generator=arguments.seed)
    print(f"\n{vocabulary.decode(written[0])}")
