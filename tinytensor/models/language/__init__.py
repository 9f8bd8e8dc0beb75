"""Models of text."""

from .bert import BERT, BERTConfig, BERTForMaskedLM, BERTForSequenceClassification
from .char_rnn import CharRNN
from .gpt import GPT, GPTConfig
from .llama import Llama, LlamaConfig, Mistral, MistralConfig, Qwen2, Qwen2Config
from .scheduled_sampling import scheduled_sampling
from .seq2seq import Seq2Seq
from .t5 import T5, T5Config
from .whisper import Whisper, WhisperConfig

__all__ = [
    "BERT",
    "GPT",
    "T5",
    "BERTConfig",
    "BERTForMaskedLM",
    "BERTForSequenceClassification",
    "CharRNN",
    "GPTConfig",
    "Llama",
    "LlamaConfig",
    "Mistral",
    "MistralConfig",
    "Qwen2",
    "Qwen2Config",
    "Seq2Seq",
    "T5Config",
    "Whisper",
    "WhisperConfig",
    "scheduled_sampling",
]
