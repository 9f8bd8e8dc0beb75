"""The Evoformer beside the formulae of AlphaFold 2's supplement, in plain NumPy: values, gradients,
masks, dropout."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.models import Evoformer, EvoformerBlock, EvoformerConfig

S, N = 3, 5
TINY = EvoformerConfig(
    msa_channels=6, pair_channels=4, single_channels=7, blocks=2, msa_heads=3, pair_heads=2,
    head_channels=2, outer_channels=3, triangle_channels=5, transition=2,
)  # fmt: skip


class Formulae:
    """Algorithms 6 to 15, line by line, on a dictionary of weights. Masks are of ones and zeros."""

    def __init__(self, weights):
        self.weights = weights

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", 0.0)

    def layer_norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def gate(self, x, name):
        return 1 / (1 + np.exp(-self.linear(x, name)))

    def heads(self, x, name, heads):
        return self.linear(x, name).reshape(*x.shape[:2], heads, -1)

    def qkvg(self, x, name, heads):
        q, k, v = (self.heads(x, f"{name}.{one}", heads) for one in ("query", "key", "value"))
        return q, k, v, self.gate(x, f"{name}.gate").reshape(q.shape)

    @staticmethod
    def softmax(scores, mask, axis):
        exps = np.exp(scores) * mask
        return exps / exps.sum(axis, keepdims=True)

    def row_attention(self, m, z, mask, name, heads):  # 7
        m = self.layer_norm(m, f"{name}.norm")
        q, k, v, g = self.qkvg(m, name, heads)
        b = self.linear(self.layer_norm(z, f"{name}.pair_norm"), f"{name}.pair")
        scores = np.einsum("sihc,sjhc->sijh", q, k) / np.sqrt(q.shape[-1]) + b[None]
        a = self.softmax(scores, mask[:, None, :, None], 2)
        o = g * np.einsum("sijh,sjhc->sihc", a, v)
        return self.linear(o.reshape(*o.shape[:2], -1), f"{name}.out")

    def column_attention(self, m, mask, name, heads):  # 8
        m = self.layer_norm(m, f"{name}.norm")
        q, k, v, g = self.qkvg(m, name, heads)
        scores = np.einsum("sihc,tihc->stih", q, k) / np.sqrt(q.shape[-1])
        a = self.softmax(scores, mask[None, :, :, None], 1)
        o = g * np.einsum("stih,tihc->sihc", a, v)
        return self.linear(o.reshape(*o.shape[:2], -1), f"{name}.out")

    def transition(self, x, name):  # 9 and 15
        a = self.linear(self.layer_norm(x, f"{name}.norm"), f"{name}.inner")
        return self.linear(np.maximum(a, 0), f"{name}.out")

    def outer_product_mean(self, m, mask, name):  # 10
        m = self.layer_norm(m, f"{name}.norm")
        a, b = self.linear(m, f"{name}.left"), self.linear(m, f"{name}.right")
        o = np.einsum("si,sj,sic,sjd->ijcd", mask, mask, a, b)
        o = o / np.maximum(np.einsum("si,sj->ij", mask, mask), 1)[:, :, None, None]
        return self.linear(o.reshape(*o.shape[:2], -1), f"{name}.out")

    def triangle_multiplication(self, z, mask, name, subscripts):  # 11 and 12
        z = self.layer_norm(z, f"{name}.norm")
        a = mask[:, :, None] * self.gate(z, f"{name}.left_gate") * self.linear(z, f"{name}.left")
        b = mask[:, :, None] * self.gate(z, f"{name}.right_gate") * self.linear(z, f"{name}.right")
        o = self.layer_norm(np.einsum(subscripts, a, b), f"{name}.inner_norm")
        return self.gate(z, f"{name}.gate") * self.linear(o, f"{name}.out")

    def triangle_attention(self, z, mask, name, heads, starting):  # 13 and 14
        z = self.layer_norm(z, f"{name}.norm")
        q, k, v, g = self.qkvg(z, name, heads)
        b = self.linear(z, f"{name}.pair")
        if starting:
            scores = np.einsum("ijhc,ikhc->ijkh", q, k) / np.sqrt(q.shape[-1]) + b[None]
            a = self.softmax(scores, mask[:, None, :, None], 2)
            o = g * np.einsum("ijkh,ikhc->ijhc", a, v)
        else:
            scores = np.einsum("ijhc,kjhc->ijkh", q, k) / np.sqrt(q.shape[-1])
            scores = scores + b.transpose(1, 0, 2)[:, None]  # b_ki
            a = self.softmax(scores, mask.T[None, :, :, None], 2)
            o = g * np.einsum("ijkh,kjhc->ijhc", a, v)
        return self.linear(o.reshape(*o.shape[:2], -1), f"{name}.out")

    def block(self, m, z, msa_mask, pair_mask, name=""):  # 6
        m = m + self.row_attention(m, z, msa_mask, f"{name}row_attention", TINY.msa_heads)
        m = m + self.column_attention(m, msa_mask, f"{name}column_attention", TINY.msa_heads)
        m = m + self.transition(m, f"{name}msa_transition")
        z = z + self.outer_product_mean(m, msa_mask, f"{name}outer_product_mean")
        z = z + self.triangle_multiplication(z, pair_mask, f"{name}outgoing", "ikc,jkc->ijc")
        z = z + self.triangle_multiplication(z, pair_mask, f"{name}incoming", "kic,kjc->ijc")
        heads = TINY.pair_heads
        z = z + self.triangle_attention(z, pair_mask, f"{name}starting_node", heads, True)
        z = z + self.triangle_attention(z, pair_mask, f"{name}ending_node", heads, False)
        return m, z + self.transition(z, f"{name}pair_transition")


def filled(model, rng):
    """The model in float64 with weights of which none is zero, and these."""
    model.double().eval()
    for parameter in model.parameters():
        parameter.data[...] = rng.normal(size=parameter.shape) / 2
    return model, {name: value.numpy() for name, value in model.state_dict().items()}


def inputs(rng):
    m, z = rng.normal(size=(S, N, TINY.msa_channels)), rng.normal(size=(N, N, TINY.pair_channels))
    msa_mask, pair_mask = rng.random((S, N)) > 0.3, rng.random((N, N)) > 0.3
    msa_mask[0], msa_mask[:, 0] = True, True  # every row and column has something
    pair_mask[0], pair_mask[:, 0] = True, True
    return m, z, msa_mask, pair_mask


@pytest.mark.parametrize("masked", [False, True])
def test_a_block_has_the_values_and_gradients_of_the_supplement(rng, masked):
    block, weights = filled(EvoformerBlock(TINY), rng)
    m, z, msa_mask, pair_mask = inputs(rng)
    ones = np.ones((S, N)), np.ones((N, N))
    masks = (msa_mask * 1.0, pair_mask * 1.0) if masked else ones
    leaves = tt.tensor(m, requires_grad=True), tt.tensor(z, requires_grad=True)
    given = (tt.tensor(msa_mask), tt.tensor(pair_mask)) if masked else ()
    out = block(*leaves, *given)
    expected = Formulae(weights).block(m, z, *masks)
    for ours, theirs in zip(out, expected, strict=True):
        np.testing.assert_allclose(ours.detach(), theirs, rtol=1e-9, atol=1e-11)

    # Gradients, each along one direction, beside differences of the formulae.
    cotangents = [rng.normal(size=x.shape) for x in expected]
    sum((x * tt.tensor(g)).sum() for x, g in zip(out, cotangents, strict=True)).backward()

    def loss(m, z, weights):
        values = Formulae(weights).block(m, z, *masks)
        return sum((x * g).sum() for x, g in zip(values, cotangents, strict=True))

    step = 1e-5
    for name, leaf in (*zip("mz", leaves, strict=True), *block.named_parameters()):
        direction = rng.normal(size=leaf.shape)
        moved = [
            loss(
                m + sign * step * direction if name == "m" else m,
                z + sign * step * direction if name == "z" else z,
                {**weights, name: weights.get(name, 0.0) + sign * step * direction},
            )
            for sign in (1, -1)
        ]
        slope = (moved[0] - moved[1]) / (2 * step)
        found = (leaf.grad.numpy() * direction).sum()
        assert found == pytest.approx(slope, rel=1e-5, abs=1e-6), name


def test_a_stack_takes_batches_and_gives_the_first_sequence(rng):
    model, weights = filled(Evoformer(TINY), rng)
    each = [inputs(rng) for _ in range(2)]
    m, z, s = model(*(tt.tensor(np.stack(x)) for x in zip(*each, strict=True)))
    for i, (m_i, z_i, msa_mask, pair_mask) in enumerate(each):
        for block in range(TINY.blocks):
            m_i, z_i = Formulae(weights).block(
                m_i, z_i, msa_mask * 1.0, pair_mask * 1.0, f"blocks.{block}."
            )
        np.testing.assert_allclose(m[i].detach(), m_i, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(z[i].detach(), z_i, rtol=1e-8, atol=1e-9)
        single = m_i[0] @ weights["single.weight"].T + weights["single.bias"]
        np.testing.assert_allclose(s[i].detach(), single, rtol=1e-8, atol=1e-9)


def test_what_is_masked_is_not_seen(rng):
    """By what is not masked: a sequence, a residue."""
    model, _ = filled(Evoformer(TINY), rng)
    m, z, msa_mask, pair_mask = inputs(rng)
    msa_mask[-1] = False
    msa_mask[:, -1], pair_mask[-1], pair_mask[:, -1] = False, False, False
    masks = tt.tensor(msa_mask), tt.tensor(pair_mask)
    first = model(tt.tensor(m), tt.tensor(z), *masks)
    m[-1], m[:, -1], z[-1], z[:, -1] = 7.0, -3.0, 5.0, 2.0
    second = model(tt.tensor(m), tt.tensor(z), *masks)
    for one, other, kept in zip(first, second, ((-1, -1), (-1, -1), (-1,)), strict=True):
        kept = tuple(slice(end) for end in kept)
        np.testing.assert_allclose(one.detach()[kept], other.detach()[kept], rtol=1e-12)


def test_a_new_block_changes_nothing_and_drops_rows_and_columns():
    m, z = tt.ones((2, S, N, TINY.msa_channels)), tt.ones((2, N, N, TINY.pair_channels))
    block = EvoformerBlock(TINY)
    out = block(m, z)
    assert (out[0].numpy() == m.numpy()).all()
    assert (out[1].numpy() == z.numpy()).all()
    tt.manual_seed(0)
    for axis in (-3, -2):
        dropped = block._dropped(z, 0.25, axis).numpy()
        assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
        assert (dropped == np.take(dropped, [0], axis)).all()  # shared along this axis alone
        assert not (dropped == np.take(dropped, [0], -5 - axis)).all()
    block.eval()
    assert block._dropped(z, 0.25, -3) is z
