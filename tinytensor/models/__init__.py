"""Models, built of tinytensor.nn."""

from .char_rnn import CharRNN
from .digits import DigitsCNN
from .gpt import GPT, GPTConfig
from .lenet import LeNet
from .resnet import ResNet, resnet20

__all__ = ["GPT", "CharRNN", "DigitsCNN", "GPTConfig", "LeNet", "ResNet", "resnet20"]
