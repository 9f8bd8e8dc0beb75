"""Models out of folders and GGUF files: what is loaded, and what is refused as a whole."""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.io import safetensors
from tinytensor.io.stored import Stored, of_array, to_bfloat16
from tinytensor.models import Llama, LlamaConfig, from_pretrained
from tinytensor.models.pretrained import CLASSES, Pretrained
from tinytensor.models.settings import Settings
from tinytensor.text import Subwords

from .mutated_folders import write_gguf


@dataclass
class Sizes(Settings):
    model_type: ClassVar[str] = "of_a_test"
    renamed: ClassVar[dict[str, str]] = {"width": "hidden_size"}
    fixed: ClassVar[dict[str, str]] = {"hidden_act": "silu"}

    vocab_size: int = 10
    hidden_size: int = 32
    num_hidden_layers: int = 2
    scale: float = 1.0
    tie_word_embeddings: bool = True


class Toy(Pretrained):
    model_types = ("of_a_test",)
    architectures = ("ToyForCausalLM",)
    configuration = Sizes
    prefix = "model."
    surplus = (r"score\..*",)

    def __init__(self, config):
        super().__init__()
        self.config = config
        layers = [nn.Linear(config.hidden_size, config.hidden_size) for _ in range(2)]
        table = nn.Embedding(config.vocab_size, config.hidden_size)
        self.model = nn.ModuleDict(
            {"table": table, "layers": nn.ModuleList(layers[: config.num_hidden_layers])}
        )
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model["table"].weight

    def forward(self, tokens):
        x = self.model["table"](tokens)
        for layer in self.model["layers"]:
            x = layer(x)
        return self.lm_head(x)

    @classmethod
    def from_file(cls, name, array):
        return array.T if "layers.1.weight" in name else array

    to_file = from_file

    @classmethod
    def gguf_settings(cls, metadata):
        return {"hidden_size": metadata["width"], "vocab_size": metadata["vocab_size"]}

    @classmethod
    def gguf_names(cls, config):
        names = {
            f"blk.{i}.{k}": f"model.layers.{i}.{k}" for i in range(2) for k in ("weight", "bias")
        }
        return {"token_embd.weight": "model.table.weight", **names}

    @classmethod
    def gguf_rows(cls, config, name):
        return np.arange(config.hidden_size)[::-1] if name == "model.layers.0.weight" else None


def arrays(rng=None):
    rng = rng or np.random.default_rng(0)
    shapes = {"table.weight": (10, 32)}
    for i in range(2):
        shapes |= {f"layers.{i}.weight": (32, 32), f"layers.{i}.bias": (32,)}
    return {f"model.{name}": rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}


def folder(path, tensors=None, file="model.safetensors", **settings):
    path.mkdir(exist_ok=True)
    settings = {"model_type": "of_a_test", "use_cache": True, **settings}
    (path / "config.json").write_text(json.dumps(settings))
    tensors = arrays() if tensors is None else tensors
    tensors = {k: v if isinstance(v, Stored) else of_array(v) for k, v in tensors.items()}
    with open(path / file, "wb") as out:
        safetensors.write_stored(out, tensors, {"format": "pt"})
    return path


def expected(tokens, own, scale=1):
    w = own["model.table.weight"]
    x = w[tokens] @ own["model.layers.0.weight"].T + own["model.layers.0.bias"]
    x = x @ own["model.layers.1.weight"] + own["model.layers.1.bias"]
    return x @ w.T


TOKENS = np.array([[1, 2, 9]])


def same(model):
    found = model(tt.tensor(TOKENS)).numpy()
    np.testing.assert_allclose(found, expected(TOKENS, arrays()), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("strip", [True, False])
def test_a_folder_is_loaded_by_its_model_type(tmp_path, strip):
    own = arrays()
    own["score.weight"] = own["model.layers.0.attn.bias"] = np.zeros(3, "f4")
    named = {k.removeprefix("model.") if strip else k: v for k, v in own.items()}
    state = tt.random.get_rng_state()
    model = from_pretrained(folder(tmp_path / "x", named))
    assert type(model) is Toy
    assert not model.training
    assert model.tokenizer is None
    assert model.lm_head.weight is model.model["table"].weight
    same(model)
    model(tt.tensor(TOKENS)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert str(state) == str(tt.random.get_rng_state())


def test_shards_and_files_of_torch_save(tmp_path):
    path = folder(tmp_path / "x")
    model = from_pretrained(path)
    model.save_pretrained(tmp_path / "y", max_shard_size=5000)
    names = sorted(p.name for p in (tmp_path / "y").iterdir())
    assert names[:2] == ["config.json", "model-00001-of-00003.safetensors"]
    assert names[-1] == "model.safetensors.index.json"
    same(from_pretrained(tmp_path / "y"))
    model.save_pretrained(tmp_path / "y", max_shard_size="1MB")
    names = sorted(p.name for p in (tmp_path / "y").iterdir())
    assert names == ["config.json", "model.safetensors"]
    same(Toy.from_pretrained(tmp_path / "y"))
    settings = json.loads((tmp_path / "y" / "config.json").read_text())
    assert settings["architectures"] == ["ToyForCausalLM"]
    assert (settings["width"], settings["hidden_act"]) == (32, "silu")


def test_16_bits(tmp_path):
    own = arrays()
    table = own["model.layers.0.bias"]
    bits = to_bfloat16(table)
    own["model.layers.0.bias"] = Stored("bf16", bits.shape, bits)
    own["model.layers.1.bias"] = Stored("f16", bits.shape, table.astype("f2"))
    model = from_pretrained(folder(tmp_path / "x", own), dtype="float64")
    assert {p.dtype for p in model.parameters()} == {np.dtype("f8")}
    assert np.array_equal(model.model["layers"][1].bias.numpy(), table.astype("f2").astype("f8"))
    found = model.model["layers"][0].bias.numpy()
    np.testing.assert_allclose(found, table, 2**-8)
    assert (found.astype("f4").view("u4") & 0xFFFF == 0).all()


def without(name):
    return {k: v for k, v in arrays().items() if k != name}


BAD = {
    r"missing are model.table.weight \(10, 32\)": (without("model.table.weight"), {}),
    r"no place for more \(3,\)": ({**arrays(), "more": np.zeros(3, "f4")}, {}),
    r"table.weight is \(10, 32\), not \(9, 32\)": (None, {"vocab_size": 9}),
    "twice": ({**arrays(), "table.weight": arrays()["model.table.weight"]}, {}),
    "differs from": ({**arrays(), "lm_head.weight": np.zeros((10, 32), "f4")}, {}),
    "is of i32": ({**arrays(), "model.layers.0.bias": np.zeros(32, "i4")}, {}),
    "num_hidden_layers is 1000000000": (None, {"num_hidden_layers": 10**9}),
    "unknown settings sliding = 3": (None, {"sliding": 3}),
    "hidden_act is 'relu'; only 'silu'": (None, {"hidden_act": "relu"}),
    "hidden_size is given twice": (None, {"hidden_size": 3, "width": 4}),
    "vocab_size is '10', not int": (None, {"vocab_size": "10"}),
    "vocab_size is -1": (None, {"vocab_size": -1}),
    "vocab_size is True": (None, {"vocab_size": True}),
    "scale is nan, not a finite": (None, {"scale": float("nan")}),
    "no model for model_type 'x'": (None, {"model_type": "x"}),
    "no model for model_type None": (None, {"model_type": None}),
}  # fmt: skip


@pytest.mark.parametrize("told", BAD)
def test_what_does_not_fit_is_told(tmp_path, told):
    tensors, settings = BAD[told]
    path = folder(tmp_path / "x", tensors, **settings)
    with pytest.raises(ValueError, match=told) as caught:
        from_pretrained(path)
    assert str(caught.value).startswith(f"from_pretrained: {str(path)!r}: ")


INDICES = {
    "which is none of its folder": {"a": "../model.safetensors"},
    "file '/etc/passwd', which": {"a": "/etc/passwd"},
    "is missing": {"a": "model-2.safetensors"},
    "lacks": {"a": "model-1.safetensors"},
    "no weight_map": ["a"],
    "no weight_map of": {"a": 3},
}


@pytest.mark.parametrize("told", INDICES)
def test_indices_that_do_not_fit(tmp_path, told):
    path = folder(tmp_path / "x", file="model-1.safetensors")
    index = path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": INDICES[told]}))
    with pytest.raises(ValueError, match=told):
        from_pretrained(path)


def test_what_is_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="from_pretrained: there is no file"):
        from_pretrained(tmp_path / "x")
    (tmp_path / "y").write_bytes(b"something")
    with pytest.raises(ValueError, match=r"neither a folder with config\.json nor a GGUF file"):
        from_pretrained(tmp_path / "y")
    path = folder(tmp_path / "z")
    (path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="there are no weights"):
        from_pretrained(path)
    (path / "config.json").write_text("[" * 100000)
    with pytest.raises(ValueError, match=r"config.json is not JSON"):
        from_pretrained(path)
    (path / "config.json").unlink()
    with pytest.raises(FileNotFoundError):
        from_pretrained(path)
    with pytest.raises(ValueError, match="dtype must be"):
        from_pretrained(folder(tmp_path / "z"), dtype="int32")
    with pytest.raises(ValueError, match="model_type is 'of_a_test', and Other is of"):
        Other.from_pretrained(folder(tmp_path / "z"))


class Other(Toy):
    model_types = ("another",)


def test_classes_of_tests_stay_apart():
    assert CLASSES["of_a_test"] is Toy


def test_a_gguf_file(tmp_path):
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "of_a_test")
    writer.add_uint32("of_a_test.width", 32)
    own = arrays()
    own["model.layers.1.weight"] = own["model.layers.1.weight"].T  # from_file is for folders
    own["model.layers.0.weight"] = own["model.layers.0.weight"][::-1]
    for theirs, ours in Toy.gguf_names(None).items():
        array = np.ascontiguousarray(own[ours])
        if ours != "model.table.weight":
            writer.add_tensor(theirs, array)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            blocks = gguf.quants.quantize(array, kind)
            writer.add_tensor(theirs, blocks, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    table = gguf.quants.dequantize(blocks, kind)
    packed = from_pretrained(tmp_path / "x.gguf")
    trained = from_pretrained(tmp_path / "x.gguf", dtype="float32")
    assert packed.lm_head.matrix is packed.model["table"].matrix
    assert packed.lm_head.matrix.kind == "q8_0"
    assert np.array_equal(trained.lm_head.weight.numpy(), table)
    wanted = expected(TOKENS, {**arrays(), "model.table.weight": table})
    for model in (packed, trained):
        found = model(tt.tensor(TOKENS)).numpy()
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-4)
    packed.save_pretrained(tmp_path / "y")
    again = from_pretrained(tmp_path / "y")
    assert np.array_equal(again.lm_head.weight.numpy(), table)


def test_scaling_that_a_gguf_file_has_as_divisors_of_frequencies(tmp_path):
    pytest.importorskip("gguf")
    tt.manual_seed(0)
    model = Llama(LlamaConfig(300, 64, 32, 1, 2, rope_theta=10000.0))
    model.tokenizer = Subwords.train(["low lower lowest newer"], 280)
    how = {
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }  # fmt: skip
    plain, scaled = (tt.nn.RotaryEmbedding(32, 10000.0, x).frequencies for x in (None, how))
    path = tmp_path / "x.gguf"
    write_gguf(path, model, {"rope_freqs.weight": plain / scaled})
    found = from_pretrained(path)
    assert found.config.rope_scaling == how
    np.testing.assert_allclose(
        found.model.layers[0].self_attn.rotary_emb.frequencies, scaled, rtol=1e-6
    )
    write_gguf(path, model, {"rope_freqs.weight": (plain / scaled)[::-1]})
    with pytest.raises(ValueError, match=r"rope_freqs.weight \(16,\) is not the scaling"):
        from_pretrained(path)
