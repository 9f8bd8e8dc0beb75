"""Models that learn in a process of their own: the same lines in tinytensor and PyTorch.

This file imports neither before it knows which one it is to be.
"""

import os
import pickle
import subprocess
import sys
import time
from importlib import import_module

THREADS = ("OMP_NUM_THREADS", "TINYTENSOR_NUM_THREADS")


def adamw(framework, parameters, lr, steps):
    """AdamW, and a learning rate that rises for a twentieth of the steps, then falls to lr / 10."""
    optim = framework.optim
    optimizer = optim.AdamW(parameters, lr, betas=(0.9, 0.99), weight_decay=0.1)
    rising = max(steps // 20, 1)
    schedules = optim.lr_scheduler
    warm_up = schedules.LinearLR(optimizer, 0.1, total_iters=rising)
    decay = schedules.CosineAnnealingLR(optimizer, steps - rising, eta_min=lr / 10)
    return optimizer, schedules.SequentialLR(optimizer, [warm_up, decay], [rising])


# --- Models by the parts that both frameworks have, with the same names --------------------------


def char_rnn(framework, weights, embedding=64, hidden=256, layers=2):
    """`tinytensor.models.CharRNN`."""
    nn, vocabulary = framework.nn, len(weights["head.bias"])

    class CharRNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(vocabulary, embedding)
            self.lstm = nn.LSTM(embedding, hidden, layers, batch_first=True)
            self.head = nn.Linear(hidden, vocabulary)

        def run(self, tokens, state=None):
            out, state = self.lstm(self.embed(tokens), state)
            return self.head(out), state

    return CharRNN()


def gpt(framework, weights, heads=4):
    """`tinytensor.models.GPT`, of the sizes that its weights have."""
    nn = framework.nn
    vocabulary, width = weights["transformer.wte.weight"].shape
    length = len(weights["transformer.wpe.weight"])
    blocks = sum(name.endswith("ln_1.weight") for name in weights)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x):
            b, t, c = x.shape
            q, k, v = self.c_attn(x).reshape(b, t, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.c_proj(y.permute(0, 2, 1, 3).reshape(b, t, c))

    class MLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            return self.c_proj(nn.functional.gelu(self.c_fc(x), approximate="tanh"))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.attn = nn.LayerNorm(width), Attention()
            self.ln_2, self.mlp = nn.LayerNorm(width), MLP()

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.h = nn.ModuleList([Block() for _ in range(blocks)])
            self.ln_f = nn.LayerNorm(width)

        def forward(self, tokens):
            x = self.wte(tokens) + self.wpe(framework.arange(tokens.shape[1]))
            for block in self.h:
                x = block(x)
            return self.ln_f(x)

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = Decoder()
            self.lm_head = nn.Linear(width, vocabulary, bias=False)

        def run(self, tokens, state=None):
            return self.lm_head(self.transformer(tokens)), ()

    return GPT()


MODELS = {"char_rnn": char_rnn, "gpt": gpt}

# --- Processes -----------------------------------------------------------------------------------


class Learner:
    """A process in which a framework, "tinytensor" or "torch", trains one of ``MODELS`` from given
    weights.

    ``carry``: so many batches go on with the LSTM's state after the one before, without gradient.
    """

    def __init__(self, framework, kind, weights, threads=None, **settings):
        here = [sys.executable, __file__, framework, "learn"]
        environment = os.environ | dict.fromkeys(THREADS, str(threads or os.cpu_count()))
        self.process = subprocess.Popen(
            here, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ask({"kind": kind, "weights": weights, **settings})

    def ask(self, question):
        pickle.dump(question, self.process.stdin)
        self.process.stdin.flush()
        try:
            return pickle.load(self.process.stdout)
        except EOFError:
            raise RuntimeError(f"the learner ended with {self.process.wait()}") from None

    def step(self, x, y):
        """One step on a batch: its loss, the gradient's norm before clipping, and the seconds."""
        return self.ask((x, y))

    def close(self):
        """End the process; the weights that it has come to."""
        weights = self.ask("weights")
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        return weights


def learn(framework, questions, answers):
    """The process's side of `Learner`."""

    def ask():
        return pickle.load(questions)

    def answer(value):
        pickle.dump(value, answers)
        answers.flush()

    settings = ask()
    weights, max_norm = settings["weights"], settings["max_norm"]
    model = MODELS[settings["kind"]](framework, weights)
    model.load_state_dict({name: framework.tensor(value) for name, value in weights.items()})
    optimizer, schedule = adamw(framework, model.parameters(), settings["lr"], settings["steps"])
    state, carry, seen = None, settings.get("carry", 0), 0
    answer("ready")
    while (question := ask()) != "weights":
        x, y = map(framework.tensor, question)
        start = time.perf_counter()
        logits, state = model.run(x, state)
        seen += 1
        state = tuple(part.detach() for part in state) if carry and seen % carry else None
        loss = framework.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = framework.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        schedule.step()
        seconds = time.perf_counter() - start
        answer((loss.item(), norm.item(), seconds))
    answer({name: value.numpy() for name, value in model.state_dict().items()})


if __name__ == "__main__" and sys.argv[2:] == ["learn"]:
    # What libraries print goes to standard error: standard output is for answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    learn(import_module(sys.argv[1]), sys.stdin.buffer, answers)
