"""Models of images."""

from .autoencoder import VAE, Autoencoder, VAEOutput, vae_loss
from .blocks import ConvNormActivation, StochasticDepth
from .convnext import CNBlockConfig, ConvNeXt, convnext_base, convnext_small, convnext_tiny
from .craft import CRAFT
from .crnn import CRNN, BidirectionalLSTM
from .digits import DigitsCNN
from .lenet import LeNet
from .mobilenet import MobileNetV2, mobilenet_v2
from .mtcnn import MTCNN, Faces, ONet, PNet, RNet
from .resnet import (
    BasicBlock,
    Bottleneck,
    CifarResNet,
    ResNet,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
    resnext50_32x4d,
    wide_resnet50_2,
)
from .unet import UNet
from .vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from .vit import ViT, ViTConfig

__all__ = [
    "CRAFT",
    "CRNN",
    "MTCNN",
    "VAE",
    "VGG",
    "Autoencoder",
    "BasicBlock",
    "BidirectionalLSTM",
    "Bottleneck",
    "CNBlockConfig",
    "CifarResNet",
    "ConvNeXt",
    "ConvNormActivation",
    "DigitsCNN",
    "Faces",
    "LeNet",
    "MobileNetV2",
    "ONet",
    "PNet",
    "RNet",
    "ResNet",
    "StochasticDepth",
    "UNet",
    "VAEOutput",
    "ViT",
    "ViTConfig",
    "convnext_base",
    "convnext_small",
    "convnext_tiny",
    "mobilenet_v2",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnext50_32x4d",
    "vae_loss",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet50_2",
]
