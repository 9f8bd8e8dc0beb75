"""Rotary frequencies of each scaling beside transformers', and what is turned by them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

torch = pytest.importorskip("torch")
rope_utils = pytest.importorskip("transformers.modeling_rope_utils")

LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
SCALINGS: list[dict[str, Any]] = [
    {"rope_type": "default"},
    {"rope_type": "linear", "factor": 2.5},
    {"rope_type": "dynamic", "factor": 2.0},
    LLAMA3,
    YARN,
    {**YARN, "mscale": 0.7, "mscale_all_dim": 0.9, "beta_fast": 16, "truncate": False},
    {**YARN, "attention_factor": 1.25, "beta_slow": 2},
    {**YARN, "factor": 0.5},
]


def config_of(scaling: dict[str, Any], base: float) -> Any:
    """What transformers' functions ask of a configuration."""
    return SimpleNamespace(
        head_dim=64, hidden_size=128, num_attention_heads=2, max_position_embeddings=96,
        rope_parameters={**scaling, "rope_theta": base}, standardize_rope_params=lambda: None,
    )  # fmt: skip


def theirs_of(config: Any, tokens: int | None) -> Any:
    kind = config.rope_parameters["rope_type"]
    if kind != "default":
        return rope_utils.ROPE_INIT_FUNCTIONS[kind](config, None, tokens)
    exponents = torch.arange(0, 64, 2, dtype=torch.int64).float() / 64
    return 1.0 / config.rope_parameters["rope_theta"] ** exponents, 1.0


@pytest.mark.parametrize("scaling", SCALINGS, ids=lambda s: str(s["rope_type"]))
def test_scalings(scaling: dict[str, Any]) -> None:
    for base in (10000.0, 500000.0):
        config = config_of(scaling, base)
        ours = nn.RotaryEmbedding(64, base, scaling, max_position_embeddings=96)
        frequencies, factor = theirs_of(config, None)
        assert ours.frequencies.dtype == np.float32
        np.testing.assert_allclose(ours.frequencies, frequencies.numpy(), rtol=5e-7)
        assert ours.attention_factor == pytest.approx(factor, rel=1e-12)
        q = np.random.default_rng(0).normal(size=(2, 3, 5, 64)).astype(np.float32)
        positions = np.array([[0, 1, 2, 3, 4], [90, 95, 100, 149, 60]])
        frequencies, factor = theirs_of(config, 150)
        angles = torch.tensor(positions)[:, None, :, None].float() * frequencies
        angles = torch.cat([angles, angles], -1)
        x = torch.tensor(q)
        behind = torch.cat([-x[..., 32:], x[..., :32]], -1)
        wanted = (x * angles.cos() + behind * angles.sin()) * factor
        np.testing.assert_allclose(ours(tt.tensor(q), positions), wanted.numpy(), atol=1e-4)


def test_what_scaling_refuses() -> None:
    for scaling, why in (
        ({"type": "longest"}, "one of 'default'"),
        ({"rope_type": "llama3", "factor": 8.0}, "'llama3' needs low_freq_factor"),
        ({"rope_type": "dynamic", "factor": 2.0}, "needs max_position_embeddings"),
        ({"rope_type": "linear", "factor": "2"}, "factor must be a number"),
    ):
        with pytest.raises((ValueError, TypeError), match=why):
            nn.RotaryEmbedding(8, scaling=scaling)
    assert nn.RotaryEmbedding(8, scaling={"type": "linear", "factor": 4}).frequencies[0] == 0.25
