"""A small GPT learns to write Python from the sources of the standard library that runs it.

The sizes are nanoGPT's for a CPU: 4 layers, 4 heads, 128 channels, a context of 64, batches of 12.
"""

from language import begin, learn_to_write_code, options, random_windows, save_and_write

from tinytensor.models import GPT, GPTConfig

arguments, corpus = begin(options(__doc__, steps=3000))
config = GPTConfig(len(corpus.vocabulary), block_size=64, n_layer=4, n_head=4, n_embd=128)
model = GPT(config)
batches = random_windows(corpus, arguments, length=64, batch_size=12)
learn_to_write_code(model, corpus, batches, 1e-3, arguments.steps, quick=arguments.quick)
save_and_write("code_gpt", model, corpus, arguments)
