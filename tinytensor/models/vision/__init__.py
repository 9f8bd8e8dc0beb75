"""Models of images."""

from .digits import DigitsCNN
from .lenet import LeNet
from .resnet import ResNet, resnet20

__all__ = ["DigitsCNN", "LeNet", "ResNet", "resnet20"]
