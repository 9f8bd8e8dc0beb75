"""Code written for the standard works on tensors: SciPy, scikit-learn, hypothesis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace

import tinytensor as tt

xps: Any = make_strategies_namespace(tt, api_version="2024.12")

SCRIPT = """
import numpy as np, tinytensor as tt, warnings
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, y = rng.normal(size=(40, 4)), np.arange(40) % 2

def same(f, *arrays):
    want, got = f(*arrays), f(*(tt.asarray(a) for a in arrays))
    if isinstance(want, np.ndarray):
        assert isinstance(got, tt.Tensor), (f, type(got))
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-9, atol=1e-9)
"""

SCIPY = """
import scipy.cluster.vq, scipy.fft, scipy.signal, scipy.special, scipy.stats
same(scipy.special.logsumexp, X)
same(lambda x: scipy.special.softmax(x, axis=1), X)
same(scipy.special.expit, X)
same(scipy.stats.zscore, X)
same(scipy.stats.skew, X)
same(scipy.stats.kurtosis, X)
same(lambda a, b: scipy.stats.pearsonr(a, b).statistic, X[:, 0].copy(), X[:, 1].copy())
same(lambda a: scipy.stats.ttest_1samp(a, 0.0).statistic, X)
same(scipy.cluster.vq.whiten, X)
same(scipy.fft.fft, X)
same(lambda a, b: scipy.signal.fftconvolve(a, b, axes=0), X, X)
"""

SKLEARN = """
import sklearn
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler
sklearn.set_config(array_api_dispatch=True)
for scaler in (MaxAbsScaler(), MinMaxScaler(), Normalizer(), StandardScaler()):
    same(scaler.fit_transform, X)
same(PCA(2, svd_solver="full").fit_transform, X)
same(lambda X, y: LinearDiscriminantAnalysis().fit(X, y).predict(X), X, y)
same(lambda X, y: Ridge(solver="svd").fit(X, y).predict(X), X, X[:, 0] * 2)
same(cosine_similarity, X)
same(euclidean_distances, X)
same(accuracy_score, y, 1 - y)
same(r2_score, X[:, 0].copy(), X[:, 1].copy())
"""


@pytest.mark.parametrize(("package", "script"), [("scipy", SCIPY), ("sklearn", SKLEARN)])
def test_their_functions_give_what_they_give_for_ndarrays(package: str, script: str) -> None:
    pytest.importorskip(package)
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + script],
        env={**os.environ, "PYTHONPATH": str(root), "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@settings(max_examples=300)
@given(st.data())
def test_indexing_and_assignment_with_hypothesis_own_strategies(data: st.DataObject) -> None:
    dtype = data.draw(xps.scalar_dtypes())
    shape = data.draw(xps.array_shapes(min_dims=0, max_dims=4))
    x = data.draw(xps.arrays(dtype=dtype, shape=shape))
    assert isinstance(x, tt.Tensor)
    assert (x.dtype, x.shape) == (dtype, shape)
    before = np.array(x.numpy())
    index = data.draw(xps.indices(shape, allow_newaxis=True))
    np.testing.assert_array_equal(x[index].numpy(), before[index])
    index = data.draw(xps.indices(shape))
    value = data.draw(xps.arrays(dtype=dtype, shape=x[index].shape))
    np.testing.assert_array_equal(
        x.at[index].set(value).numpy(), _assigned(before, index, value.numpy())
    )
    x[index] = value
    np.testing.assert_array_equal(x.numpy(), _assigned(before, index, value.numpy()))


def _assigned(x: np.ndarray, index: Any, value: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[index] = value
    return x


@given(st.data())
def test_einsum_of_random_expressions(data: st.DataObject) -> None:
    sizes = dict(zip("abcde", data.draw(st.tuples(*[st.integers(0, 3)] * 5)), strict=True))
    terms = data.draw(st.lists(st.text("abcde", max_size=4), min_size=1, max_size=4))
    letters = sorted(set("".join(terms)))
    output = "".join(data.draw(st.lists(st.sampled_from(letters), unique=True)) if letters else [])
    subscripts = ",".join(terms) + "->" + output
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    operands = [rng.normal(size=[sizes[label] for label in term]) for term in terms]
    found = tt.einsum(subscripts, *map(tt.asarray, operands)).numpy()
    expected = np.einsum(subscripts, *operands)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
