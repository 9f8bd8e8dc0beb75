"""Models of text."""

from .char_rnn import CharRNN
from .gpt import GPT, GPTConfig
from .llama import Llama, LlamaConfig, Mistral, MistralConfig, Qwen2, Qwen2Config
from .scheduled_sampling import scheduled_sampling
from .seq2seq import Seq2Seq

__all__ = [
    "GPT",
    "CharRNN",
    "GPTConfig",
    "Llama",
    "LlamaConfig",
    "Mistral",
    "MistralConfig",
    "Qwen2",
    "Qwen2Config",
    "Seq2Seq",
    "scheduled_sampling",
]
