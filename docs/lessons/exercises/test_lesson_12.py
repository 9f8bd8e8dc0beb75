"""Whether you have lesson 12. Read the messages; the tests themselves give answers away."""

import numpy as np
import pytest

approx = pytest.approx


def test_bound(lesson):
    machine = 100e9, 10e9
    got = lesson.bound(1e9, 12e9, *machine)  # 0.01 s of operations, 1.2 s of bytes
    assert got[0] != approx(1.21), (
        "The two times were added. Memory works while arithmetic does: the later one decides."
    )
    assert got[0] != approx(0.01), "That is the one that is through first; it waits for the other."
    assert got[0] == approx(1.2), f"12 GB at 10 GB/s take 1.2 s, not {got[0]}."
    assert got[1] == "memory", f'It waits for "memory", not {got[1]!r}.'
    got = lesson.bound(200e9, 1e9, *machine)
    assert got == (approx(2.0), "arithmetic"), (
        f'200 billion operations at 100 a ns: 2 s, and "arithmetic" decides; you say {got}.'
    )


def rows():
    rng = np.random.default_rng(0)
    for n in (1, 7, 16, 37, 64):
        yield (rng.normal(size=n) - 5).astype(np.float32)


def test_lane_max(lesson):
    for row in rows():
        got = lesson.lane_max(row, 8)
        assert got != 0 or row.max() == 0, (
            f"Of {len(row)} negative numbers the largest is not 0. The tail was filled up with"
            " zeros; fill it with what is less than anything."
        )
        assert got == row.max(), (
            f"Of {len(row)} numbers in lanes of 8 the largest is {row.max()}, not {got}."
            + (" Is the tail left out?" if len(row) % 8 else "")
        )


def test_lane_sum(lesson):
    for row in rows():
        got = lesson.lane_sum(row, 8, 2)
        assert got == approx(row.sum(), rel=1e-5), (
            f"{len(row)} numbers sum to {row.sum()}, not {got}."
            + (" Is the tail left out?" if len(row) % 8 else "")
        )
    row = np.zeros(64, np.float32)
    row[0], row[8], row[32] = 1e8, 1.0, -1e8  # vectors 0, 1 and 4 of lanes 0
    got = lesson.lane_sum(row, 8, 2)
    assert isinstance(got, np.floating), f"A number of NumPy's is asked for, not {type(got)}."
    assert got.dtype == np.float32, f"The sum is {got.dtype}: stay in float32."
    assert got != 0.0, (
        "1e8, 1 and −1e8 gave 0: the 1 was lost beside 1e8. Vectors 0 and 4 belong to chain 0, and"
        " vector 1 to chain 1: they must meet at the end only."
    )
    assert got == 1.0, f"1e8 and −1e8 meet in chain 0; with the 1 of chain 1 it is 1, not {got}."


def test_exp32(lesson):
    f32 = np.float32
    with np.errstate(all="ignore"):
        x = np.linspace(-80, 80, 20_001).astype(f32)
        got = lesson.exp32(x)
        assert got.dtype == f32, f"float32 in, float32 out, not {got.dtype}."
        exact = np.exp(x.astype(np.float64))
        error = np.abs(got - exact) / np.spacing(exact.astype(f32))
        small = np.abs(x) < 0.3465
        assert error[small].max() < 2, (
            f"Near 0 it is wrong by {error[small].max():.1f} units in the last place: there n is"
            " 0, so it is the polynomial. (Taylor's coefficients are a little worse than the"
            " lesson's, which are fitted.)"
        )
        assert error.max() < 2, (
            f"It is right near 0, and wrong by {error.max():.0f} units at"
            f" {x[error.argmax()]:.1f}. r = x − n log 2 loses digits unless log 2 comes in two"
            " parts."
        )
        ends = np.array([np.inf, -np.inf, np.nan, 200, -200, 88.5, 0], f32)
        got = lesson.exp32(ends)
    assert np.isnan(got[2]), f"exp(NaN) is NaN, not {got[2]}. Note where NaN is, and put it back."
    assert np.isfinite(got[5]), (
        f"exp(88.5) is 2.7e38, which float32 can hold; yours is {got[5]}. n is 128 there, one more"
        " than an exponent field takes: use np.ldexp."
    )
    assert got[5] == approx(2.7230e38, rel=1e-3), f"exp(88.5) is 2.7e38, not {got[5]}."
    assert got[[0, 3]].tolist() == [np.inf, np.inf], "exp(inf) and exp(200) are inf in float32."
    assert got[[1, 4]].tolist() == [0, 0], f"exp(−inf), exp(−200) are 0, not {got[[1, 4]]}."
    assert got[6] == 1, f"exp(0) is 1 exactly, not {got[6]}."


class Counted:
    """A row that counts how often each element is loaded."""

    def __init__(self, values):
        self.values, self.loads = values, np.zeros(len(values), int)

    def __len__(self):
        return len(self.values)

    def load(self, c, lanes, rest):
        v = np.full(lanes, rest, np.float32)
        v[: len(self) - c] = self.values[c : c + lanes]
        self.loads[c : c + lanes] += 1
        return v


def test_softmax_in_two(lesson):
    rng = np.random.default_rng(1)
    for n in (3, 8, 37):
        values = (rng.normal(size=n) * 20 + 300).astype(np.float32)
        row = Counted(values)
        with np.errstate(all="ignore"):
            got = lesson.softmax_in_two(row, 8)
        assert len(got) == n, f"{n} elements went in, and {len(got)} came out. Cut the tail off."
        assert row.loads.max() <= 2, (
            f"An element was loaded {row.loads.max()} times: max, sum, and the writing are three"
            " walks. Find max and sum in one, by repairing the sum."
        )
        p = np.exp(values.astype(float) - values.max())
        assert not np.isnan(got).any(), (
            "NaN. With values near 300 exp overflows if nothing is taken off; and with a row"
            " shorter than the lanes some lane has seen nothing: −inf − (−inf)."
        )
        assert np.allclose(got, p / p.sum(), atol=1e-6), (
            f"The weights sum to {got.sum():.3f}. Each lane's total is relative to its own top:"
            " before the lanes are added up, multiply by exp(own top − largest top)."
        )
