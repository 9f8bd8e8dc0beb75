"""Models from the files that their makers publish: Hugging Face's folders and GGUF."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np

from ..nn import init
from ..nn.module import Module
from ..tensors.tensor import Tensor
from .checkpoints import Checkpoint, Stored, read_checkpoint
from .settings import Settings

__all__ = ["Pretrained", "from_pretrained"]

StrPath = str | os.PathLike[str]

# Where the classes stand, by config.json's model_type or GGUF's general.architecture. A module is
# imported when it is asked for; its classes enter themselves in CLASSES.
HOMES = {
    "gpt2": "language.gpt",
    "llama": "language.llama",
    "mistral": "language.llama",
    "qwen2": "language.llama",
    "bert": "language.bert",
    "t5": "language.t5",
    "whisper": "language.whisper",
    "vit": "vision.vit",
}
CLASSES: dict[str, type[Pretrained]] = {}

# What older files hold beside parameters: masks and tables that follow from the configuration.
DERIVED = (
    r"(.*\.)?attn\.(bias|masked_bias)",
    r"(.*\.)?rotary_emb\.(inv_freq|cos_cached|sin_cached)",
    r"(.*\.)?position_ids",
    r"(.*\.)?token_type_ids",
)


class Pretrained(Module):
    """The base of models whose configuration and weights files hold.

    A subclass has a constructor that takes its configuration alone, and names its parameters as
    Hugging Face's files do. It says

    - ``model_types``: the ``model_type`` of config.json, and GGUF's ``general.architecture``, that
      it is the model of;
    - ``architectures``: what config.json's ``architectures`` is to hold, first what is written;
    - ``configuration``: its class of :class:`Settings`;
    - ``prefix``: what stands before the names of the inner model in files of a whole one, such as
      "transformer.". Files of either are read;
    - ``surplus``: regular expressions of names in files that have no place here, such as other
      heads.

    The methods :meth:`from_file`, :meth:`to_file`, :meth:`gguf_settings`, :meth:`gguf_names` and
    :meth:`gguf_rows` are for subclasses whose files hold something else than their parameters.
    """

    model_types: ClassVar[tuple[str, ...]] = ()
    architectures: ClassVar[tuple[str, ...]] = ()
    configuration: ClassVar[type[Settings]]
    prefix: ClassVar[str] = ""
    surplus: ClassVar[tuple[str, ...]] = ()

    config: Any
    tokenizer: Any = None  # a text.Subwords, where the files have one
    chat_template: str | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls).get("model_types", ()):
            CLASSES.setdefault(name, cls)

    # --- What a subclass may say of its files ------------------------------------------------

    @classmethod
    def from_file(cls, name: str, array: np.ndarray) -> np.ndarray:
        """The parameter ``name`` of the array that a file has under this name: for example its
        transpose. Elements of bfloat16 come as the uint16 of their bits."""
        return array

    @classmethod
    def to_file(cls, name: str, array: np.ndarray) -> np.ndarray:
        """What a file has for the parameter ``name``: the opposite of :meth:`from_file`."""
        return array

    @classmethod
    def gguf_settings(cls, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """What config.json would say, by the metadata of a GGUF file, without the prefix of the
        architecture: ``metadata["block_count"]``. The vocabulary's size is "vocab_size"."""
        raise ValueError(f"{cls.__name__} is not read from GGUF files")

    @classmethod
    def gguf_names(cls, config: Any) -> dict[str, str]:
        """The parameters' names by the names of tensors in a GGUF file."""
        raise ValueError(f"{cls.__name__} is not read from GGUF files")

    @classmethod
    def gguf_rows(cls, config: Any, name: str) -> np.ndarray | None:
        """Which row of a GGUF tensor is each row of the parameter ``name``, where the file has
        them in another order; otherwise None."""
        return None

    # --- Reading and writing -----------------------------------------------------------------

    @classmethod
    def from_pretrained(cls, path: StrPath, dtype: Any = None) -> Self:
        """The model in a folder of Hugging Face's or a GGUF file.

        Weights of linear layers and embeddings stay as the file stores them, unless that is
        float32: in 16 bits or in blocks, for computing forward. ``dtype="float32"`` makes all of
        them parameters that can be trained.

        The configuration and all tensors are checked before there is a model. Raises
        FileNotFoundError, or ValueError, which names the file, for files that are damaged, of other
        models, with missing, surplus or misshapen tensors.
        """
        checkpoint = read_checkpoint(path)
        with checkpoint.told():
            kind = checkpoint.settings.get("model_type")
            if kind not in cls.model_types:
                raise ValueError(
                    f"its model_type is {kind!r}, and {cls.__name__} is of {cls.model_types}"
                )
            return cls._of_checkpoint(checkpoint, dtype)

    @classmethod
    def _of_checkpoint(cls, checkpoint: Checkpoint, dtype: Any) -> Self:
        config = cls.configuration.from_settings(checkpoint.settings)
        _check_counts(config, len(checkpoint.tensors))
        with init.postponed():
            model = cls(config)
        found = fitting(model, checkpoint.tensors)
        for names, stored in found:
            parameter = _tensor_of(model, names[0])
            array = cls.from_file(names[0], stored.data)
            array = Stored(stored.kind, array.shape, array).array()
            parameter.data = np.array(array, parameter.dtype, order="C")
        return model.eval()

    def save_pretrained(self, folder: StrPath, max_shard_size: int | str = "50GB") -> None:
        """Write config.json, the weights as safetensors, and the tokeniser: transformers and
        :meth:`from_pretrained` load the folder."""
        raise NotImplementedError


def from_pretrained(path: StrPath, dtype: Any = None) -> Pretrained:
    """The model in a folder of Hugging Face's or in a GGUF file, of the class that fits.

    See :meth:`Pretrained.from_pretrained`.
    """
    checkpoint = read_checkpoint(path)
    with checkpoint.told():
        return class_of(checkpoint.settings)._of_checkpoint(checkpoint, dtype)


def class_of(settings: Mapping[str, Any]) -> type[Pretrained]:
    """The class of models by config.json's ``model_type``. Raises ValueError if there is none."""
    kind = settings.get("model_type")
    if isinstance(kind, str) and kind not in CLASSES and kind in HOMES:
        import_module(f"{__package__}.{HOMES[kind]}")
    found = CLASSES.get(kind) if isinstance(kind, str) else None
    if found is None:
        known = ", ".join(sorted({*HOMES, *CLASSES}))
        raise ValueError(f"there is no model for model_type {kind!r}; there are {known}")
    return found


# --- Names and shapes -------------------------------------------------------------------------

COUNTS = re.compile(r"(n|num|encoder|decoder)_(.*_)?(layers?|experts?|blocks?)")


def _check_counts(config: Any, tensors: int) -> None:
    """Refuse a configuration of more layers than a file has tensors, before they are made."""
    for name, value in vars(config).items():
        if type(value) is int and COUNTS.fullmatch(name) and value > tensors:
            raise ValueError(f"its {name} is {value}, but it has {tensors} tensors")


def fitting(
    model: Pretrained, tensors: Mapping[str, Stored]
) -> list[tuple[tuple[str, ...], Stored]]:
    """The names of each parameter and saved buffer (several where it is tied), and what a file has
    for it. Raises ValueError unless the file has all of them, of their shapes, and nothing more."""
    owners = {}
    named: dict[int, list[str]] = {}
    for name, part in model._named_state():
        named.setdefault(id(part), []).append(name)
        owners[name] = part
    places: dict[str, list[str]] = {}
    surplus = []
    for name in tensors:
        known = next((n for n in _candidates(model, name) if n in owners), None)
        if known is not None:
            places.setdefault(known, []).append(name)
        elif not any(re.fullmatch(pattern, name) for pattern in (*DERIVED, *model.surplus)):
            surplus.append(name)
    twice = [sources for sources in places.values() if len(sources) > 1]
    if twice:
        raise ValueError(f"tensors are there twice: {_listed(twice)}")
    found, missing, misshapen = [], [], []
    buffers = {name for name, _ in model.named_buffers(remove_duplicate=False)}
    for names in named.values():
        given = [name for name in names if name in places]
        if not given:
            if names[0] not in buffers:
                shape = owners[names[0]].shape
                missing.append(f"{names[0]} {tuple(shape)}")
            continue
        for name in given:
            stored = tensors[places[name][0]]
            shape = model.from_file(name, stored.data).shape
            if shape != owners[name].shape:
                misshapen.append(f"{name} is {shape}, not {owners[name].shape}")
            elif not stored.floating and name not in buffers:
                misshapen.append(f"{name} is of {stored.kind}, not of floats")
        first = tensors[places[given[0]][0]]
        for name in given[1:]:
            if not np.array_equal(tensors[places[name][0]].data, first.data):
                misshapen.append(f"{name} differs from {given[0]}, to which it is tied")
        found.append((tuple(names), first))
    told = []
    if missing:
        told.append(f"missing are {_listed(missing)}")
    if surplus:
        shapes = [f"{name[:100]} {tensors[name].shape}" for name in surplus]
        told.append(f"there is no place for {_listed(shapes)}")
    if misshapen:
        told.append(_listed(misshapen))
    if told:
        raise ValueError(f"its tensors are not those of {type(model).__name__}: {'; '.join(told)}")
    return found


def _candidates(model: Pretrained, name: str) -> Iterable[str]:
    yield name
    if model.prefix:
        yield model.prefix + name
        yield name.removeprefix(model.prefix)


def _listed(items: list[Any]) -> str:
    more = f" and {len(items) - 8} more" if len(items) > 8 else ""
    return ", ".join(map(str, items[:8])) + more


def _tensor_of(model: Module, name: str) -> Tensor:
    path, _, last = name.rpartition(".")
    found: Tensor = getattr(model.get_submodule(path), last)
    return found
