"""Every model of the package in onnxruntime: the same outputs, to 1e-5, of its file of ONNX."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.onnx.exported import check
from tinytensor import models, nn
from tinytensor.models import evoformer

pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.no_c


M = models


def images(*shape: int) -> tt.Tensor:
    return tt.tensor(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def tokens(*shape: int, below: int = 11) -> tt.Tensor:
    return tt.tensor(np.random.default_rng(0).integers(1, below, size=shape))


def settled(model: nn.Module) -> nn.Module:
    """With statistics and biases that are not 0 and 1."""
    rng = np.random.default_rng(1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.data[...] = rng.normal(size=buffer.shape) * 0.1
        elif name.endswith("running_var"):
            buffer.data[...] = rng.uniform(0.5, 1.5, buffer.shape)
    return model


def small_vgg() -> nn.Module:
    """Its first linear layer has 100 million weights, another one takes its place."""
    convolutions = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    model = M.VGG.__new__(M.VGG)
    nn.Module.__init__(model)
    model.features, model.avgpool = convolutions, nn.AdaptiveAvgPool2d((7, 7))
    model.classifier = nn.Sequential(nn.Linear(4 * 7 * 7, 6), nn.ReLU(), nn.Linear(6, 5))
    return model


BERT = {"vocab_size": 11, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 20, "max_position_embeddings": 12, "num_labels": 3}  # fmt: skip
LLAMA = {"vocab_size": 11, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 32}  # fmt: skip
WHISPER = {"vocab_size": 11, "num_mel_bins": 5, "d_model": 12, "encoder_layers": 1,
           "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
           "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "max_source_positions": 8,
           "decoder_start_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}  # fmt: skip
GPT = models.GPTConfig(vocab_size=11, block_size=16, n_layer=2, n_head=2, n_embd=16)
EVOFORMER = evoformer.EvoformerConfig(
    msa_channels=8, pair_channels=6, single_channels=5, blocks=1, msa_heads=2, pair_heads=2,
    head_channels=4, outer_channels=4, triangle_channels=4,
)  # fmt: skip
STAGES = [models.CNBlockConfig(8, 12, 1), models.CNBlockConfig(12, None, 1)]

Case = tuple[Callable[[], Any], tuple[Any, ...]]
MODELS: dict[str, Case] = {
    "Autoencoder": (lambda: M.Autoencoder(1, 8, (4, 6), 3), (images(2, 1, 8, 8),)),
    "BERT": (lambda: M.BERT(M.BERTConfig(**BERT)), (tokens(2, 6),)),
    "BERT with a mask": (
        lambda: M.BERT(M.BERTConfig(**BERT)),
        (tokens(2, 6), tokens(2, 6, below=2), tt.tensor([[1, 1, 1, 1, 0, 0], [1] * 6])),
    ),
    "BERTForMaskedLM": (lambda: M.BERTForMaskedLM(M.BERTConfig(**BERT)), (tokens(2, 6),)),
    "BERTForSequenceClassification": (
        lambda: M.BERTForSequenceClassification(M.BERTConfig(**BERT)),
        (tokens(2, 6),),
    ),
    "BasicBlock": (lambda: M.BasicBlock(4, 4), (images(2, 4, 6, 6),)),
    "BidirectionalLSTM": (lambda: M.BidirectionalLSTM(5, 4, 3), (images(2, 6, 5),)),
    "Bottleneck": (lambda: M.Bottleneck(8, 2), (images(2, 8, 6, 6),)),
    "CRAFT": (M.CRAFT, (images(1, 3, 32, 32),)),
    "CRNN": (
        lambda: M.CRNN(1, 16, 8, characters="abcde", num_class=6),
        (images(2, 1, 32, 40),),
    ),
    "CharRNN": (lambda: M.CharRNN(11, 6, 8, 2), (tokens(2, 5),)),
    "CifarResNet": (lambda: M.CifarResNet(1), (images(2, 3, 16, 16),)),
    "ConvNeXt": (lambda: M.ConvNeXt(STAGES, num_classes=5), (images(2, 3, 16, 16),)),
    "ConvNormActivation": (lambda: M.ConvNormActivation(3, 4, 3, 2), (images(2, 3, 8, 8),)),
    "DigitsCNN": (M.DigitsCNN, (images(2, 1, 8, 8),)),
    "Evoformer": (lambda: M.Evoformer(EVOFORMER), (images(3, 4, 8), images(4, 4, 6))),
    "EvoformerBlock": (
        lambda: M.EvoformerBlock(EVOFORMER),
        (
            images(3, 4, 8),
            images(4, 4, 6),
            tt.tensor(np.tri(3, 4, 2) > 0),
            tt.tensor(np.tri(4, 4, 2) > 0),
        ),
    ),
    "GPT": (lambda: M.GPT(GPT), (tokens(2, 6),)),
    "LeNet": (M.LeNet, (images(2, 1, 28, 28),)),
    "Llama": (lambda: M.Llama(M.LlamaConfig(**LLAMA)), (tokens(2, 6),)),
    "Mistral": (
        lambda: M.Mistral(M.MistralConfig(**LLAMA, sliding_window=3)),
        (tokens(2, 6),),
    ),
    "MobileNetV2": (
        lambda: M.MobileNetV2(5, inverted_residual_setting=[[1, 8, 1, 1], [6, 8, 2, 2]]),
        (images(2, 3, 32, 32),),
    ),
    "ONet": (M.ONet, (images(2, 3, 48, 48),)),
    "PNet": (M.PNet, (images(1, 3, 20, 24),)),
    "Qwen2": (lambda: M.Qwen2(M.Qwen2Config(**LLAMA)), (tokens(2, 6),)),
    "RNet": (M.RNet, (images(2, 3, 24, 24),)),
    "ResNet": (
        lambda: M.ResNet(M.Bottleneck, [1, 1, 1, 1], 5, groups=2, width_per_group=8),
        (images(1, 3, 32, 32),),
    ),
    "Seq2Seq": (
        lambda: M.Seq2Seq(11, 11, 4, 6),
        (tokens(2, 5), tt.tensor([5, 3]), tokens(2, 4)),
    ),
    "Seq2Seq with Luong's attention": (
        lambda: M.Seq2Seq(11, 11, 4, 6, 2, "general", "gru"),
        (tokens(2, 5), tt.tensor([5, 3]), tokens(2, 4)),
    ),
    "StochasticDepth": (lambda: M.StochasticDepth(0.5, "row"), (images(2, 3),)),
    "T5": (
        lambda: M.T5(M.T5Config(11, 16, 4, 20, 1, None, 2, decoder_start_token_id=0)),
        (tokens(2, 6), tokens(2, 4)),
    ),
    "T5 with lengths": (
        lambda: M.T5(M.T5Config(11, 16, 4, 20, 1, None, 2, decoder_start_token_id=0)),
        (tokens(2, 6), tokens(2, 4), tt.tensor([6, 4])),
    ),
    "TCN": (lambda: M.TCN(3, [4, 4], 2), (images(2, 3, 9),)),
    "TemporalBlock": (lambda: M.TemporalBlock(3, 4, 2, 2, 0.1), (images(2, 3, 9),)),
    "UNet": (lambda: M.UNet(3, 2, 4, 2), (images(1, 3, 16, 16),)),
    "UNet with bilinear": (lambda: M.UNet(3, 2, 4, 2, bilinear=True), (images(1, 3, 16, 16),)),
    "VAE": (lambda: M.VAE(1, 8, (4, 6), 3), (images(2, 1, 8, 8),)),
    "VGG": (lambda: small_vgg(), (images(1, 3, 16, 16),)),
    "ViT": (
        lambda: M.ViT(M.ViTConfig(16, 4, 3, 16, 1, 2, 20, 5)),
        (images(2, 3, 16, 16),),
    ),
    "Whisper": (lambda: M.Whisper(M.WhisperConfig(**WHISPER)), (images(2, 5, 16), tokens(2, 4))),
}
OTHERS = {
    "MTCNN": "a pipeline of three networks, PNet, RNet and ONet, that cuts pictures by what it"
    " found: each of the three is exported",
    "Pretrained": "the base of models of files",
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_same_in_onnxruntime(name: str) -> None:
    make, args = MODELS[name]
    tt.manual_seed(0)
    check(settled(make()), args)


def test_no_model_is_missing() -> None:
    """Each class of modules is in the table; each function that makes a model makes one of them."""
    tested = {name.split(" with ")[0] for name in MODELS}
    for name in dir(models):
        found = getattr(models, name)
        if isinstance(found, type) and issubclass(found, nn.Module):
            assert (name in tested) != (name in OTHERS), name
        elif inspect.isfunction(found):
            made = typing.get_type_hints(found, vars(inspect.getmodule(found))).get("return")
            if isinstance(made, type) and issubclass(made, nn.Module):
                assert made.__name__ in tested | OTHERS.keys(), name
