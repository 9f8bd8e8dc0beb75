"""Folders that transformers writes are read, and it reads those that are written."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.models import from_pretrained

torch = pytest.importorskip("torch")
pytest.importorskip(
    "tests.models.of_torchvision"
)  # which transformers imports, in a way that works
transformers = pytest.importorskip("transformers")

AUTO = transformers.AutoModelForCausalLM
TOKENS = np.array([[3, 1, 4, 1, 5]])


def their_model(kind="llama"):
    torch.manual_seed(0)
    if kind == "llama":
        settings = transformers.LlamaConfig(
            vocab_size=40,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=True,
        )
        return transformers.LlamaForCausalLM(settings).eval()
    settings = transformers.GPT2Config(
        vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=16
    )
    return transformers.GPT2LMHeadModel(settings).eval()


def logits_of(model):
    with torch.no_grad():
        return model(torch.tensor(TOKENS)).logits.float().numpy()


def same(model, expected, tolerance=1e-5):
    found = model(tt.tensor(TOKENS)).numpy()
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_folders_go_both_ways(tmp_path, kind):
    theirs = their_model(kind)
    expected = logits_of(theirs)
    theirs.save_pretrained(tmp_path / "a", max_shard_size="20KB")
    assert (tmp_path / "a" / "model.safetensors.index.json").exists()
    ours = from_pretrained(tmp_path / "a")
    same(ours, expected)
    ours.save_pretrained(tmp_path / "b", max_shard_size="20KB")
    again = AUTO.from_pretrained(tmp_path / "b").eval()
    np.testing.assert_allclose(logits_of(again), expected, rtol=1e-6, atol=1e-6)


def test_a_base_model_s_folder_and_files_of_torch_save(tmp_path):
    theirs = their_model()
    theirs.save_pretrained(tmp_path)
    expected = logits_of(theirs)
    (tmp_path / "model.safetensors").unlink()
    state = {k.removeprefix("model."): v for k, v in theirs.state_dict().items()}
    torch.save(
        {k: v for k, v in state.items() if k != "lm_head.weight"}, tmp_path / "pytorch_model.bin"
    )
    same(from_pretrained(tmp_path), expected)


def test_bfloat16_stays_so(tmp_path):
    theirs = their_model().to(torch.bfloat16)
    theirs.save_pretrained(tmp_path / "a")
    expected = logits_of(theirs.float())
    for dtype in (None, "float32"):
        ours = from_pretrained(tmp_path / "a", dtype=dtype)
        same(ours, expected, 2e-5)
        ours.save_pretrained(tmp_path / "b")
        again = AUTO.from_pretrained(tmp_path / "b", dtype=torch.float32)
        np.testing.assert_allclose(logits_of(again.eval()), expected, rtol=1e-6, atol=1e-6)
