"""Models of transformers beside ours: the same files, inputs, gradients and steps.

transformers asks for torchvision on its way in, whose compiled part may not fit this PyTorch. None
of the models needs it: ``transformers`` is here as it is without.
"""

import importlib
import os
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

import tinytensor as tt

torch = pytest.importorskip("torch")
os.environ["HF_HUB_OFFLINE"] = "1"
_vision = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("torchvision")}
sys.modules["torchvision"] = None  # type: ignore[assignment]
try:
    transformers = pytest.importorskip("transformers")
    importlib.import_module("transformers.modeling_layers")
finally:
    del sys.modules["torchvision"]
    sys.modules.update(_vision)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

# How many random configurations a model is tried with.
COUNT = int(os.environ.get("TINYTENSOR_CONFIGURATIONS", "1"))
SEEDS = range(COUNT)
BOUNDS = {"float64": 1e-8, "float32": 1e-4}


def filed(theirs, folder):
    """The arrays of a model of transformers, by the names that its files have."""
    theirs.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def near(ours, theirs, bound, what=""):
    theirs = np.asarray(theirs)
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound * scale, err_msg=what)


def compare(found, wanted, prefix, bound):
    """Arrays of ours beside those of a file of theirs."""
    assert wanted
    for name, array in wanted.items():
        other = next(n for n in (name, prefix + name, name.removeprefix(prefix)) if n in found)
        near(found[other], array, bound, name)


def gradients(model):
    each = model.named_parameters(False)
    return {n: np.zeros(p.shape) if p.grad is None else p.grad.numpy() for n, p in each}


def side_by_side(cls, theirs, loss_of_ours, loss_of_theirs, folder, dtype, steps=10):
    """Loss, gradients and the weights behind ``steps`` steps of AdamW; what is ours is loaded from
    a file of theirs. A loss function takes a model and a dtype, and gives outputs and a loss.

    Returns our model, as loaded.
    """
    theirs = theirs.eval()
    theirs.save_pretrained(folder / "theirs")
    model = cls.from_pretrained(folder / "theirs", dtype="float32")
    model.save_pretrained(folder / "ours")
    again = type(theirs).from_pretrained(folder / "ours").state_dict()
    for name, array in theirs.state_dict().items():
        np.testing.assert_array_equal(again[name].numpy(), array.numpy(), err_msg=name)
    ours = cls.from_pretrained(folder / "ours", dtype="float32").to(dtype=dtype)
    twin = theirs.to(getattr(torch, dtype))
    bound, prefix = BOUNDS[dtype], cls.prefix
    # The gradient of a key's bias is 0 but for rounding, which a small eps would make a step of.
    how = {"lr": 1e-3, "eps": 1e-8 if dtype == "float64" else 1e-4}
    optimizer = tt.optim.AdamW(ours.parameters(), **how)
    torch_optimizer = torch.optim.AdamW(twin.parameters(), **how)
    for step in range(steps):
        outputs, loss = loss_of_ours(ours, dtype)
        torch_outputs, torch_loss = loss_of_theirs(twin, getattr(torch, dtype))
        if step == 0:
            near(outputs.numpy(), torch_outputs.detach().numpy(), bound, "outputs")
        near(loss.item(), torch_loss.item(), bound, f"loss of step {step}")
        optimizer.zero_grad()
        loss.backward()
        torch_optimizer.zero_grad()
        torch_loss.backward()
        if step == 0:
            values = [p.data for p in twin.parameters()]
            for p in twin.parameters():
                p.data = torch.zeros_like(p) if p.grad is None else p.grad
            compare(gradients(ours), filed(twin, folder / "gradients"), prefix, bound)
            for p, value in zip(twin.parameters(), values, strict=True):
                p.data = value
        optimizer.step()
        torch_optimizer.step()
    weights = {n: p.numpy() for n, p in ours.named_parameters(False)}
    compare(weights, filed(twin, folder / "trained"), prefix, bound)
    return model
