"""Settings: a model's configuration, read from and written to the config.json of its files."""

from __future__ import annotations

import math
import types
import typing
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self

from ..io.files import short

__all__ = ["Settings"]

LARGEST = 2**31 - 1  # of whole numbers

# What a config.json may say without any effect on a model's numbers: who wrote it, how it is to be
# trained, what its outputs hold, and old settings of generation.
_WITHOUT_EFFECT = """
_attn_implementation _commit_hash _name_or_path architectures auto_map model_type name_or_path
dtype torch_dtype transformers_version transformers.js_config torchscript use_bfloat16
use_cache cache_implementation gradient_checkpointing return_dict output_attentions
output_hidden_states output_scores return_dict_in_generate is_decoder is_encoder_decoder
add_cross_attention cross_attention_hidden_size tie_encoder_decoder tokenizer_class prefix
initializer_range initializer_factor initializer_std init_std pretraining_tp
chunk_size_feed_forward pruned_heads finetuning_task task_specific_params problem_type
id2label label2id num_labels classifier_dropout classifier_proj_size use_weighted_layer_sum
bos_token_id eos_token_id pad_token_id sep_token_id decoder_start_token_id
forced_bos_token_id forced_eos_token_id begin_suppress_tokens suppress_tokens
forced_decoder_ids max_length min_length max_new_tokens do_sample early_stopping num_beams
num_beam_groups diversity_penalty temperature top_k top_p typical_p repetition_penalty
length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids
num_return_sequences remove_invalid_values exponential_decay_length_penalty
"""
WITHOUT_EFFECT = frozenset(_WITHOUT_EFFECT.split())


@dataclass
class Settings:
    """The base of configurations: dataclasses whose fields have config.json's names.

    A subclass lists, beside its fields, ``renamed`` (other names of a field in files: name in the
    file → field), ``fixed`` (settings of which one value alone is implemented: name → value) and
    ``without_effect`` (more names that change no number).

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Sizes(Settings):
    ...     hidden_size: int = 8
    ...     hidden_act: str = "gelu"
    >>> Sizes.from_settings({"hidden_size": 4, "use_cache": True})
    Sizes(hidden_size=4, hidden_act='gelu')
    """

    model_type: ClassVar[str] = ""  # what to_settings writes
    renamed: ClassVar[dict[str, str]] = {}
    fixed: ClassVar[dict[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """The configuration that a config.json describes.

        Raises ValueError for values of other types than the fields', for sizes below 0, and for
        settings that are not known, since they might change what the model computes.
        """
        if not isinstance(settings, dict):
            raise ValueError(f"{cls.__name__}: settings are {short(settings)}, not an object")
        allowed = _types_of(cls)  # type: ignore[arg-type]
        given: dict[str, Any] = {}
        unknown = []
        for name, value in settings.items():
            field = cls.renamed.get(name, name)
            if field in allowed:
                if field in given and given[field] != value:
                    raise ValueError(f"{cls.__name__}: {field} is given twice, and differently")
                given[field] = _fitting(cls.__name__, name, value, allowed[field])
            elif name in cls.fixed:
                if value != cls.fixed[name]:
                    raise ValueError(
                        f"{cls.__name__}: {name} is {short(value)}; only {cls.fixed[name]!r} is"
                        " implemented"
                    )
            elif not (name in WITHOUT_EFFECT or name in cls.without_effect):
                unknown.append(f"{name[:80]} = {short(value)}")
        if unknown:
            more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
            raise ValueError(f"{cls.__name__}: unknown settings {', '.join(unknown[:8])}{more}")
        try:
            return cls(**given)
        except (TypeError, ZeroDivisionError, OverflowError, AttributeError, KeyError) as error:
            raise ValueError(f"{cls.__name__}: {error}") from error

    def to_settings(self) -> dict[str, Any]:
        """What a config.json says of this configuration, in the names of files."""
        back = {field: name for name, field in self.renamed.items()}
        own = {back.get(f.name, f.name): getattr(self, f.name) for f in fields(self)}
        return {"model_type": self.model_type, **self.fixed, **own}


@cache
def _types_of(cls: type[Settings]) -> dict[str, tuple[type, ...]]:
    """The types that each field may have, NoneType among them."""
    hints = typing.get_type_hints(cls)
    return {f.name: tuple(_flat(hints[f.name])) for f in fields(cls) if f.init}


def _flat(hint: Any) -> list[type]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return [t for part in typing.get_args(hint) for t in _flat(part)]
    if hint is Any:
        return [object]
    if typing.get_origin(hint) is typing.Literal:
        return [type(value) for value in typing.get_args(hint)]
    return [typing.get_origin(hint) or hint]


def _fitting(owner: str, name: str, value: Any, allowed: tuple[type, ...]) -> Any:
    """``value`` if it is of an allowed type and in range, a whole number as float where asked."""
    kind = type(value)
    if float in allowed and int not in allowed and kind is int:
        value, kind = (float(value) if abs(value) <= LARGEST else math.inf), float
    if kind is list and list not in allowed and tuple in allowed:
        value, kind = tuple(value), tuple
    if kind not in allowed and object not in allowed:
        told = " or ".join("null" if t is type(None) else t.__name__ for t in allowed)
        raise ValueError(f"{owner}: {name} is {short(value)}, not {told}")
    if kind is int and not (0 <= value <= LARGEST or (name.endswith("_id") and value == -1)):
        raise ValueError(f"{owner}: {name} is {short(value)}, not between 0 and {LARGEST}")
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{owner}: {name} is {short(value)}, not a finite number")
    return value
