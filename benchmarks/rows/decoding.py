"""Tokens read one by one behind others whose keys and values are in a cache, as in writing."""

from __future__ import annotations

from typing import Any

from ..row import Row, classes

HELD, STEPS = 112, 16  # tokens in the cache before, and read in a run


class Reader:
    """A model of tinytensor's, called with tokens (1, HELD + STEPS): the logits behind the last."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval()
        self.cache: Any = None
        self.named_parameters, self.parameters = model.named_parameters, model.parameters

    def __call__(self, tokens: Any) -> Any:
        model = self.model
        if self.cache is None:
            self.cache = model.new_cache(1, HELD + STEPS)
            model.features(tokens[:, :HELD], self.cache)
            self.step = model.decoder_step(self.cache)
        self.cache.truncate(HELD)
        numbers = tokens.numpy()
        for i in range(HELD, HELD + STEPS):
            if self.step is not None:
                logits = self.step(numbers[:, i])
            else:
                logits = model.head(model.features(tokens[:, i : i + 1], self.cache))[:, 0]
        return logits


def gpt(
    layers: int, width: int, heads: int, vocabulary: int, name: str, on_request: bool = False
) -> Row:
    sizes: dict[str, Any] = {
        "vocab_size": vocabulary, "block_size": HELD + STEPS, "n_layer": layers, "n_head": heads,
        "n_embd": width,
    }  # fmt: skip

    def build(_: Any) -> Any:
        from tinytensor.models import GPT, GPTConfig

        return Reader(GPT(GPTConfig(**sizes)))

    def build_torch(_: Any) -> Any:
        from types import SimpleNamespace

        from ..torch_models import Reader

        config: Any = SimpleNamespace(**sizes, bias=True)
        return Reader(config, HELD, STEPS)

    weights = layers * 12 * width * width + width * vocabulary
    return Row(
        "models",
        f"{name} {STEPS} tokens one by one, {HELD} in the cache",
        "forward",
        {"tinytensor": build, "torch": build_torch},
        {"x": classes(vocabulary, 1, HELD + STEPS)},
        flops=2.0 * STEPS * weights,
        bytes=4.0 * STEPS * weights,
        tolerance=1e-3,
        on_request=on_request,
    )


ROWS = [
    gpt(4, 128, 4, 96, "GPT 4x128,"),
    gpt(12, 768, 12, 50257, "GPT-2 124M,", on_request=True),
]
