"""Tensors: NumPy's arrays on the autograd engine.

``tensor`` has the class, over the compiled ``operators``; ``creation`` makes tensors; ``batched``
is the tensor of one lane of a vmap; ``function`` is an op with state, as PyTorch has it.
"""
