"""Probability distributions, with PyTorch's names and shapes: draws, densities, divergences.

Parameters are tensors that broadcast, and everything is differentiable by them; ``rsample`` gives
draws that are, too.

>>> import tinytensor as tt
>>> policy = tt.distributions.Categorical(logits=tt.zeros(3, requires_grad=True))
>>> (-policy.log_prob(1) * 2.0).backward()  # REINFORCE, for a reward of 2
>>> policy.entropy()
tensor(1.0986123, op=negative)
"""

from . import constraints
from .continuous import (
    Cauchy,
    Exponential,
    Gumbel,
    HalfNormal,
    Laplace,
    LogNormal,
    Normal,
    Uniform,
)
from .discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    Geometric,
    Multinomial,
    OneHotCategorical,
    Poisson,
)
from .distribution import Distribution
from .gammas import Beta, Chi2, Dirichlet, Gamma, StudentT
from .joint import Independent, MultivariateNormal
from .kl import kl_divergence, register_kl
from .transforms import (
    AffineTransform,
    ExpTransform,
    SigmoidTransform,
    TanhTransform,
    Transform,
    TransformedDistribution,
)

__all__ = [
    "AffineTransform",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "Dirichlet",
    "Distribution",
    "ExpTransform",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfNormal",
    "Independent",
    "Laplace",
    "LogNormal",
    "Multinomial",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "Poisson",
    "SigmoidTransform",
    "StudentT",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "Uniform",
    "constraints",
    "kl_divergence",
    "register_kl",
]
