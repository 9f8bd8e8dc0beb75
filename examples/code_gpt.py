"""A small GPT learns to write Python from the sources of the standard library that runs it.

The sizes are nanoGPT's for a CPU: 4 layers, 4 heads, 128 channels, a context of 64, batches of 12.
"""

from language import arguments, learn_to_write_code

from tinytensor.models import GPT, GPTConfig

learn_to_write_code(
    "code_gpt",
    lambda vocabulary: GPT(GPTConfig(vocabulary, block_size=64, n_layer=4, n_head=4, n_embd=128)),
    arguments(__doc__.splitlines()[0], steps=3000),
    length=64,
    batch_size=12,
    lr=1e-3,
)
