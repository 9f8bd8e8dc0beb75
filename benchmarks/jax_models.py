"""The models of the training steps in JAX: functions of a dictionary of parameters.

``shapes`` has the names and layouts that PyTorch's modules give the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
from jax import nn
from jax import numpy as jnp
from jax.lax import conv_general_dilated, reduce_window, rsqrt, scan

Parameters = dict[str, jax.Array]


class Model:
    """``model(parameters, x)`` → logits."""

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}

    def linear(self, name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        self.shapes[f"{name}.weight"] = (outputs, inputs)
        if bias:
            self.shapes[f"{name}.bias"] = (outputs,)

    def conv(self, name: str, inputs: int, outputs: int, r: int, bias: bool = True) -> None:
        self.shapes[f"{name}.weight"] = (outputs, inputs, r, r)
        if bias:
            self.shapes[f"{name}.bias"] = (outputs,)

    def norm(self, name: str, size: int) -> None:
        self.shapes[f"{name}.weight"] = self.shapes[f"{name}.bias"] = (size,)


def linear(p: Parameters, name: str, x: jax.Array) -> jax.Array:
    return x @ p[f"{name}.weight"].T + p.get(f"{name}.bias", 0.0)


def conv(p: Parameters, name: str, x: jax.Array, stride: int = 1, padding: int = 0) -> jax.Array:
    y = conv_general_dilated(x, p[f"{name}.weight"], (stride,) * 2, [(padding,) * 2] * 2)
    return y + p[f"{name}.bias"][:, None, None] if f"{name}.bias" in p else y


def max_pool(x: jax.Array) -> jax.Array:
    return reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def layer_norm(p: Parameters, name: str, x: jax.Array) -> jax.Array:
    normal = (x - x.mean(-1, keepdims=True)) * rsqrt(x.var(-1, keepdims=True) + 1e-5)
    return normal * p[f"{name}.weight"] + p[f"{name}.bias"]


def batch_norm(p: Parameters, name: str, x: jax.Array) -> jax.Array:
    over = (0, 2, 3)
    normal = (x - x.mean(over, keepdims=True)) * rsqrt(x.var(over, keepdims=True) + 1e-5)
    return normal * p[f"{name}.weight"][:, None, None] + p[f"{name}.bias"][:, None, None]


class MLP(Model):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.names = [str(2 * layer) for layer in range(len(widths) - 1)]
        for name, (inputs, outputs) in zip(self.names, pairwise(widths), strict=True):
            self.linear(name, inputs, outputs)

    def __call__(self, p: Parameters, x: jax.Array) -> jax.Array:
        for name in self.names[:-1]:
            x = nn.relu(linear(p, name, x))
        return linear(p, self.names[-1], x)


class LeNet(Model):
    def __init__(self) -> None:
        super().__init__()
        self.conv("conv1", 1, 6, 5)
        self.conv("conv2", 6, 16, 5)
        self.linear("fc1", 16 * 5 * 5, 120)
        self.linear("fc2", 120, 84)
        self.linear("fc3", 84, 10)

    def __call__(self, p: Parameters, x: jax.Array) -> jax.Array:
        x = max_pool(nn.relu(conv(p, "conv1", x, padding=2)))
        x = max_pool(nn.relu(conv(p, "conv2", x)))
        x = nn.relu(linear(p, "fc1", x.reshape(len(x), -1)))
        return linear(p, "fc3", nn.relu(linear(p, "fc2", x)))


class ResNet20(Model):
    def __init__(self) -> None:
        super().__init__()
        self.conv("conv1", 3, 16, 3, bias=False)
        self.norm("bn1", 16)
        self.blocks: list[tuple[str, int]] = []
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64), 1):
            for index in range(3):
                name = f"layer{stage}.{index}"
                self.blocks.append((name, outputs // inputs))  # the stride, 2 where it widens
                self.conv(f"{name}.conv1", inputs, outputs, 3, bias=False)
                self.norm(f"{name}.bn1", outputs)
                self.conv(f"{name}.conv2", outputs, outputs, 3, bias=False)
                self.norm(f"{name}.bn2", outputs)
                if inputs != outputs:
                    self.conv(f"{name}.downsample.0", inputs, outputs, 1, bias=False)
                    self.norm(f"{name}.downsample.1", outputs)
                inputs = outputs
        self.linear("fc", 64, 10)

    def __call__(self, p: Parameters, x: jax.Array) -> jax.Array:
        x = nn.relu(batch_norm(p, "bn1", conv(p, "conv1", x, padding=1)))
        for name, stride in self.blocks:
            y = conv(p, f"{name}.conv1", x, stride, padding=1)
            y = nn.relu(batch_norm(p, f"{name}.bn1", y))
            y = batch_norm(p, f"{name}.bn2", conv(p, f"{name}.conv2", y, padding=1))
            if stride > 1:
                x = conv(p, f"{name}.downsample.0", x, stride)
                x = batch_norm(p, f"{name}.downsample.1", x)
            x = nn.relu(x + y)
        return linear(p, "fc", x.mean((2, 3)))


class CharRNN(Model):
    def __init__(self, vocabulary: int, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.shapes["embed.weight"] = (vocabulary, embedding)
        for layer in range(layers):
            inputs = hidden if layer else embedding
            self.shapes[f"lstm.weight_ih_l{layer}"] = (4 * hidden, inputs)
            self.shapes[f"lstm.weight_hh_l{layer}"] = (4 * hidden, hidden)
            self.shapes[f"lstm.bias_ih_l{layer}"] = (4 * hidden,)
            self.shapes[f"lstm.bias_hh_l{layer}"] = (4 * hidden,)
        self.linear("head", hidden, vocabulary)

    def __call__(self, p: Parameters, x: jax.Array) -> jax.Array:
        x = p["embed.weight"][x].swapaxes(0, 1)
        for layer in range(self.layers):
            recur = p[f"lstm.weight_hh_l{layer}"].T

            def cell(state: Any, gates: jax.Array, recur: jax.Array = recur) -> Any:
                h, c = state
                i, f, g, o = jnp.split(gates + h @ recur, 4, axis=-1)
                c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
                h = nn.sigmoid(o) * jnp.tanh(c)
                return (h, c), h

            bias = p[f"lstm.bias_ih_l{layer}"] + p[f"lstm.bias_hh_l{layer}"]
            zero = jnp.zeros((x.shape[1], len(recur)))
            _, x = scan(cell, (zero, zero), x @ p[f"lstm.weight_ih_l{layer}"].T + bias)
        return linear(p, "head", x.swapaxes(0, 1))


class GPT(Model):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.heads, width = config.n_head, config.n_embd
        self.shapes["transformer.wte.weight"] = (config.vocab_size, width)
        self.shapes["transformer.wpe.weight"] = (config.block_size, width)
        self.blocks = [f"transformer.h.{layer}" for layer in range(config.n_layer)]
        for block in self.blocks:
            self.norm(f"{block}.ln_1", width)
            self.linear(f"{block}.attn.c_attn", width, 3 * width)
            self.linear(f"{block}.attn.c_proj", width, width)
            self.norm(f"{block}.ln_2", width)
            self.linear(f"{block}.mlp.c_fc", width, 4 * width)
            self.linear(f"{block}.mlp.c_proj", 4 * width, width)
        self.norm("transformer.ln_f", width)
        self.linear("lm_head", width, config.vocab_size, bias=False)

    def __call__(self, p: Parameters, x: jax.Array) -> jax.Array:
        b, t = x.shape
        x = p["transformer.wte.weight"][x] + p["transformer.wpe.weight"][:t]
        for block in self.blocks:
            qkv = linear(p, f"{block}.attn.c_attn", layer_norm(p, f"{block}.ln_1", x))
            q, k, v = jnp.moveaxis(qkv.reshape(b, t, 3, self.heads, -1), 2, 0)
            y = nn.dot_product_attention(q, k, v, is_causal=True).reshape(b, t, -1)
            x = x + linear(p, f"{block}.attn.c_proj", y)
            y = linear(p, f"{block}.mlp.c_fc", layer_norm(p, f"{block}.ln_2", x))
            x = x + linear(p, f"{block}.mlp.c_proj", nn.gelu(y, approximate=True))
        return linear(p, "lm_head", layer_norm(p, "transformer.ln_f", x))
