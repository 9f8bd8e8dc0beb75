"""Losses, with PyTorch's arguments: each ends in ``reduction``, "none", "mean" or "sum"."""

from .binary import *
from .classes import *
from .differences import *
from .likelihoods import *
from .margins import *
from .sequences import *
