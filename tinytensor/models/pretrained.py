"""Models from the files that their makers publish: Hugging Face's folders and GGUF."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np

from .. import dtypes
from ..io.stored import Stored, of_array
from ..nn import Embedding, Linear, init
from ..nn.module import Module
from ..nn.packed import PackedEmbedding, PackedLinear, PackedMatrix, quantize
from .checkpoints import Checkpoint, read_checkpoint, write_checkpoint
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
    gguf_settings_in: ClassVar[tuple[str, ...]] = ()  # tensors of GGUF files that are settings

    config: Any
    tokenizer: Any = None  # a text.Subwords, where the files have one

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
        architecture: ``metadata["block_count"]``. The vocabulary's size is "vocab_size". Beside
        them are the tensors that ``gguf_settings_in`` names, as arrays."""
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
        kept, kind = _wanted(dtype)
        try:
            config = cls._configuration(checkpoint)
            _check_counts(config, len(checkpoint.tensors))
            with init.postponed():
                model = cls(config)
            tensors = cls._by_our_names(checkpoint, config)
        except (KeyError, TypeError, ZeroDivisionError, AttributeError, IndexError) as error:
            raise ValueError(f"its configuration is not {cls.__name__}'s: {error!r}") from error
        found = fitting(model, tensors, checkpoint.gguf is None)
        model.tokenizer = checkpoint.tokenizer()
        for names, stored in found:
            _fill(model, names, stored, kept)
        if kind is not None:
            model.quantize(kind)
        return model.eval()

    @classmethod
    def _configuration(cls, checkpoint: Checkpoint) -> Any:
        settings = checkpoint.settings
        if checkpoint.gguf is not None:
            told = {
                name: checkpoint.tensors[name].array()
                for name in cls.gguf_settings_in
                if name in checkpoint.tensors
            }
            kind = settings["model_type"]
            settings = {**cls.gguf_settings({**settings, **told}), "model_type": kind}
        return cls.configuration.from_settings(settings)

    @classmethod
    def _by_our_names(cls, checkpoint: Checkpoint, config: Any) -> dict[str, Stored]:
        """The tensors of a GGUF file by the names and in the order of rows that they have here."""
        if checkpoint.gguf is None:
            return dict(checkpoint.tensors)
        names = cls.gguf_names(config)
        found: dict[str, Stored] = {}
        for theirs, stored in checkpoint.tensors.items():
            if theirs in cls.gguf_settings_in:
                continue
            name = names.get(theirs, theirs)
            rows = cls.gguf_rows(config, name) if theirs in names else None
            found[name] = stored if rows is None else _reordered(name, stored, rows)
        return found

    def quantize(self, kind: str) -> Self:
        """Keep the weights of linear layers and embeddings in fewer bits: "int8", "q4" …, as
        ``nn.packed.quantize`` does. They are no parameters from then on."""
        quantize(self, kind)
        return self

    @property
    def chat_template(self) -> str | None:
        """The Jinja template by which the files make a text of a chat, or None."""
        found: str | None = getattr(self.tokenizer, "chat_template", None)
        return found

    def save_pretrained(self, folder: StrPath, max_shard_size: int | str = "50GB") -> None:
        """Write config.json, the weights as safetensors, and the tokeniser: transformers and
        :meth:`from_pretrained` load the folder.

        Weights in 16 bits are written so, those in int8 or blocks as the float32 that they stand
        for. Weights above ``max_shard_size`` (bytes, or "300MB", "2GB") are written in several
        files.
        """
        write_checkpoint(
            folder,
            {**self.config.to_settings(), "architectures": list(self.architectures[:1])},
            _to_store(self),
            max_shard_size,
        )
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)


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
    model: Pretrained, tensors: Mapping[str, Stored], as_in_files: bool = True
) -> list[tuple[tuple[str, ...], Stored]]:
    """The names of each parameter and saved buffer (several where it is tied), and what a file has
    for it. Raises ValueError unless the file has all of them, of their shapes, and nothing more."""
    to_ours = model.from_file if as_in_files else lambda name, array: array
    named, owners = _names_of(model), dict(model._named_state())
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
    ours: dict[str, Stored] = {}
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
            if not stored.blocks:
                array = to_ours(name, stored.data)
                stored = Stored(stored.kind, array.shape, array)
            shape = stored.shape
            if shape != owners[name].shape:
                misshapen.append(f"{name} is {shape}, not {owners[name].shape}")
            elif not stored.floating and name not in buffers:
                misshapen.append(f"{name} is of {stored.kind}, not of floats")
            ours[name] = stored
        first = ours[given[0]]
        for name in given[1:]:
            if not np.array_equal(ours[name].data, first.data):
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


# --- Values -----------------------------------------------------------------------------------

KEPT = ("f16", "bf16")  # of the kinds of elements: what stays so, beside blocks


def _wanted(dtype: Any) -> tuple[np.dtype | None, str | None]:
    """The dtype of all parameters, None for that of the file; the kind to quantise to, if any."""
    if dtype is None:
        return None, None
    if dtype in ("int8", "q4", "q4_0", "q4_1", "q8_0"):
        return np.dtype(np.float32), dtype
    found = dtypes.bfloat16 if dtype == "bfloat16" else None
    try:
        found = found or np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or not dtypes.is_real_floating(found):
        raise ValueError(
            f"dtype must be a floating one, 'int8', 'q4', 'q4_0', 'q4_1' or 'q8_0', not {dtype!r}"
        )
    return found, None


def _reordered(name: str, stored: Stored, rows: np.ndarray) -> Stored:
    if len(rows) != len(stored.data):
        raise ValueError(f"{name} has {len(stored.data)} rows, not {len(rows)}")
    return Stored(stored.kind, stored.shape, stored.data[rows])


def _fill(model: Module, names: tuple[str, ...], stored: Stored, dtype: np.dtype | None) -> None:
    """Give what has these names the numbers of a file, in their dtype or another."""
    places = [(model.get_submodule(path), last) for path, _, last in map(_parted, names)]
    weights = all(type(m) in (Linear, Embedding) and last == "weight" for m, last in places)
    packable = stored.blocks or stored.kind in KEPT
    if dtype is None and weights and packable:
        matrix = _matrix(stored)
        for name, (module, _) in zip(names, places, strict=True):
            path, _, child = name.rpartition(".")[0].rpartition(".")
            layer = (
                PackedLinear(matrix, module.bias)
                if isinstance(module, Linear)
                else PackedEmbedding(matrix)
            )
            setattr(model.get_submodule(path), child, layer)
        return
    module, last = places[0]
    part = getattr(module, last)
    array = _matrix(stored).unpacked() if stored.blocks else stored.array()
    if array.dtype.kind not in "iub":
        array = array.astype(dtype or np.float32, copy=False)
    part.data = np.array(array, order="C")


def _parted(name: str) -> tuple[str, str, str]:
    return name.rpartition(".")


def _matrix(stored: Stored) -> PackedMatrix:
    rows = np.array(stored.data, order="C").view(np.uint8)
    return PackedMatrix(stored.kind, (stored.shape[0], stored.shape[1]), rows)


def _to_store(model: Pretrained) -> dict[str, Stored]:
    """What the files of a model have, by their names; what is shared only once."""
    found: dict[str, Stored] = {}
    seen: set[int] = set()
    for path, module in model.named_modules():
        if isinstance(module, PackedLinear | PackedEmbedding):
            matrix = module.matrix
            if id(matrix.data) in seen:
                continue
            seen.add(id(matrix.data))
            name = f"{path}.weight"
            if matrix.kind in KEPT:
                data = matrix.data.view(np.uint16).reshape(matrix.shape)
                found[name] = _for_file(model, name, Stored(matrix.kind, matrix.shape, data))
            else:
                found[name] = _for_file(model, name, of_array(matrix.unpacked()))
    for names in _names_of(model).values():
        path, _, last = names[0].rpartition(".")
        part = getattr(model.get_submodule(path), last)
        if not any(re.fullmatch(pattern, names[0]) for pattern in DERIVED):
            found[names[0]] = _for_file(model, names[0], of_array(np.asarray(part.value)))
    return found


def _for_file(model: Pretrained, name: str, stored: Stored) -> Stored:
    array = model.to_file(name, stored.data)
    return Stored(stored.kind, array.shape, array)


def _names_of(model: Pretrained) -> dict[int, list[str]]:
    """All names of each parameter and saved buffer, by its id."""
    named: dict[int, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        for name, part in module._own_state():
            packed = isinstance(module, PackedLinear | PackedEmbedding)
            if not (packed and name.startswith("weight_")):  # of its matrix
                named.setdefault(id(part), []).append(f"{path}.{name}" if path else name)
    return named
