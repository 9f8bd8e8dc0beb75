"""Code written for the standard works on tensors: SciPy, scikit-learn and others."""

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
P, x, z = abs(X), X[:, 0].copy(), X[:, 1].copy()

def parts(result):
    if hasattr(result, "pvalue"):
        return result.statistic, result.pvalue
    return result if isinstance(result, tuple) else (result,)

def same(f, *arrays):
    wanted, found = f(*arrays), f(*(tt.asarray(a) for a in arrays))
    for want, got in zip(parts(wanted), parts(found), strict=True):
        if isinstance(want, np.ndarray):
            assert isinstance(got, tt.Tensor), (f, type(got))
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-7, atol=1e-9)

def all_same(module, names, *arrays):
    for name in names.split():
        same(getattr(module, name), *arrays)
"""

SCIPY = """
import scipy.cluster.hierarchy, scipy.cluster.vq, scipy.constants, scipy.differentiate, scipy.fft
import scipy.integrate, scipy.interpolate, scipy.ndimage, scipy.optimize.elementwise
import scipy.signal, scipy.special, scipy.stats
from scipy.spatial.transform import Rotation

all_same(scipy.special, "entr expit gammaln log_ndtr ndtr i0 i1e erf digamma logsumexp", P)
all_same(scipy.special, "logit ndtri", P / (1 + P))
all_same(scipy.special, "xlogy betaln gammainc", P, P + 1)
same(lambda x: scipy.special.log_softmax(x, axis=1), X)
all_same(scipy.stats, "zscore skew kurtosis gmean hmean sem variation gstd moment entropy iqr", P)
all_same(scipy.stats, "tmean tvar tstd tsem circmean circvar circstd differential_entropy", P)
all_same(scipy.stats, "kurtosistest skewtest normaltest jarque_bera rankdata mode lmoment", P)
all_same(scipy.stats, "ttest_ind ttest_rel f_oneway bartlett", X, X + 1)
all_same(scipy.stats, "pearsonr mannwhitneyu", x, z)
same(lambda a: scipy.stats.ttest_1samp(a, 0.0), X)
same(lambda a: scipy.stats.quantile(a, 0.3), X)
same(scipy.stats.chisquare, P)
same(scipy.cluster.vq.whiten, X)
same(lambda a, b: scipy.cluster.vq.kmeans(a, b)[0], X, X[:3].copy())
same(scipy.cluster.hierarchy.linkage, X)
all_same(scipy.fft, "fft ifft rfft irfft fftn fft2 dct idct dst hfft fftshift", X)
for name in ("fftconvolve", "convolve", "oaconvolve", "correlate"):
    same(getattr(scipy.signal, name), X, X)
same(scipy.signal.hilbert, X)
same(scipy.signal.detrend, X)
same(lambda a: scipy.signal.medfilt(a, 3), X)
same(lambda a: scipy.signal.resample(a, 20), X)
same(lambda a: scipy.ndimage.gaussian_filter(a, 1.0), X)
same(lambda a: scipy.ndimage.zoom(a, 2), X)
same(lambda a: scipy.ndimage.label(a > 0)[0], X)
all_same(scipy.integrate, "trapezoid cumulative_trapezoid cumulative_simpson", P)
same(lambda a: scipy.integrate.tanhsinh(lambda t: t**2, a * 0, a).integral, P)
same(lambda a: scipy.differentiate.derivative(lambda t: t**3, a).df, X)
solve = scipy.optimize.elementwise.find_root
same(lambda a: solve(lambda t, c: t**2 - c, (a * 0, a + 1), args=(a,)).x, P)
same(scipy.optimize.rosen, x)
same(lambda a: scipy.constants.convert_temperature(a, "C", "K"), X)
same(lambda q: Rotation.from_quat(q).as_matrix(), X)
same(lambda q: Rotation.from_rotvec(q[:, :3]).apply(q[:, 1:]), X)
grid = np.linspace(0, 1, 9)
same(lambda a: scipy.interpolate.CubicSpline(a, a**2)(a), grid)
same(lambda a: scipy.interpolate.make_interp_spline(a, a**2)(a), grid)
same(lambda a: scipy.interpolate.PchipInterpolator(a, a**2)(a), grid)
"""

SKLEARN = """
import sklearn
from sklearn import metrics, preprocessing
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, RidgeCV
from sklearn.metrics import pairwise
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.naive_bayes import GaussianNB
sklearn.set_config(array_api_dispatch=True)

guess = np.concatenate([y[:20], 1 - y[20:]])
all_same(metrics, "accuracy_score zero_one_loss confusion_matrix f1_score", y, guess)
all_same(metrics, "precision_score recall_score hamming_loss balanced_accuracy_score", y, guess)
all_same(metrics, "r2_score mean_squared_error mean_absolute_error max_error", x, z)
all_same(metrics, "explained_variance_score median_absolute_error mean_pinball_loss", x, z)
all_same(metrics, "mean_poisson_deviance mean_gamma_deviance", abs(x), abs(z))
all_same(metrics, "log_loss brier_score_loss", y, 1 / (1 + np.exp(-x)))
all_same(metrics, "average_precision_score", y, 1 / (1 + np.exp(-x)))
all_same(pairwise, "cosine_similarity euclidean_distances rbf_kernel linear_kernel", X)
all_same(pairwise, "polynomial_kernel chi2_kernel laplacian_kernel manhattan_distances", P)
for scaler in ("MaxAbsScaler", "MinMaxScaler", "Normalizer", "StandardScaler", "Binarizer"):
    same(getattr(preprocessing, scaler)().fit_transform, X)
same(preprocessing.PolynomialFeatures(2).fit_transform, X)
same(preprocessing.LabelEncoder().fit_transform, y)
for solver in ("full", "covariance_eigh"):
    same(PCA(2, svd_solver=solver).fit_transform, X)
same(Nystroem(n_components=4, random_state=0).fit_transform, X)
for model in (Ridge(solver="svd"), RidgeCV()):
    same(lambda X, y: model.fit(X, y).predict(X), X, x * 2)
classifiers = (LinearDiscriminantAnalysis(), RidgeClassifier(solver="svd"), LogisticRegression())
for model in (*classifiers, GaussianNB()):
    same(lambda X, y: model.fit(X, y).predict(X), X, y)
mixture = GaussianMixture(2, random_state=0, init_params="random")
same(lambda X: mixture.fit(X).predict_proba(X), X)
same(lambda X: tuple(train_test_split(X, random_state=0)), X)
same(lambda X, y: cross_val_predict(LinearDiscriminantAnalysis(), X, y, cv=3), X, y)
"""

EXTRA = """
import array_api_extra as xpx

I = rng.integers(0, 5, (3, 4))
S = X[:3].copy()
all_same(xpx, "cov sinc angle deg2rad rad2deg nan_to_num nanmax nanmean nanmin nansum", S)
same(lambda a: xpx.atleast_nd(a, ndim=4), S)
same(xpx.create_diagonal, x)
same(lambda a: xpx.expand_dims(a, axis=(0, 2)), S)
all_same(xpx, "kron isclose", S, S[::-1].copy())
all_same(xpx, "setdiff1d isin union1d", I.ravel(), I[0].copy())
same(lambda a: int(xpx.nunique(a)), I)
same(lambda a: xpx.pad(a, 2), S)
same(lambda a: xpx.one_hot(a, 6), I)
same(lambda a: xpx.partition(a, 2)[..., 2], S)
same(lambda a, b: xpx.searchsorted(a, b), np.sort(x), z)
same(lambda a, b: xpx.apply_where(a > 0, (a, b), lambda a, b: a + b, lambda a, b: a - b), S, S * 2)
same(lambda a: xpx.apply_where(a > 0, a, lambda a: a * 2, fill_value=0), S)
for change in ("set", "add", "subtract", "multiply", "divide", "power", "min", "max"):
    same(lambda a: getattr(xpx.at(a, (slice(None), 1)), change)(2.0, copy=True), S)
    same(lambda a: getattr(xpx.at(a)[a > 0], change)(2.0, copy=True), S)
assert xpx.default_dtype(tt, "real floating") == tt.float32
"""


SCRIPTS = {"scipy": SCIPY, "sklearn": SKLEARN, "array_api_extra": EXTRA}


@pytest.mark.parametrize("package", SCRIPTS)
def test_their_functions_give_what_they_give_for_ndarrays(package: str) -> None:
    pytest.importorskip(package)
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + SCRIPTS[package]],
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
