"""Programs as PyTorch's users write them, run with PyTorch and with tinytensor under its name.

The sources beside this file import torch. Here their imports change, and at most 3 % of the other
lines; losses and what else a run returns must then be PyTorch's.
"""

from __future__ import annotations

import difflib
import re
import types
from pathlib import Path

import numpy as np
import pytest

import tinytensor as tt

HERE = Path(__file__).parent
IMPORTS = [
    ("import torch.nn.functional as F", "from tinytensor.nn import functional as F"),
    ("from torch.utils.data import", "from tinytensor.data import"),
    ("from torch import", "from tinytensor import"),
    ("from torch.", "from tinytensor."),
    ("import torch", "import tinytensor as torch"),
]
# What has another meaning or no counterpart: lines, and what stands there instead.
CHANGES = {
    "vae": [],
    "word_language_model": [],
    "actor_critic": [],
    "siamese": [],
    "gpt": [(".split(self.n_embd, dim=2)", ".chunk(3, dim=2)")],
}


def translated(name, source):
    """The source for tinytensor, and how many of its lines differ, imports aside."""
    lines = source.splitlines()
    for old, new in CHANGES[name]:
        assert old in source
        lines = [line.replace(old, new) for line in lines]
    ours = []
    for line in lines:
        for old, new in IMPORTS:
            if line.startswith(old):
                line = line.replace(old, new)
                break
        ours.append(line)
    differing = sum(
        line.startswith("+ ") and not re.match(r"\+ (from|import) ", line)
        for line in difflib.ndiff(source.splitlines(), ours)
    )
    return "\n".join(ours), differing


def draw(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def weights_for(module):
    """What gives a model of ``module`` the same numbers by the names that both have."""

    def weights(model):
        state = dict(model.state_dict())
        for i, name in enumerate(dict(model.named_parameters())):
            state[name] = module.tensor(0.3 * draw(100 + i, *state[name].shape))
        return state

    return weights


def execute(name, source, module):
    made = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), made.__dict__)
    return made.run(weights_for(module), draw)


@pytest.mark.parametrize("name", CHANGES)
def test_a_program_gives_pytorchs_losses(torch, name):
    source = (HERE / f"{name}.py").read_text()
    ours, differing = translated(name, source)
    assert differing <= 0.03 * len(source.splitlines())
    got, wanted = execute(name, ours, tt), execute(name, source, torch)
    np.testing.assert_allclose(got, wanted, rtol=2e-5)
