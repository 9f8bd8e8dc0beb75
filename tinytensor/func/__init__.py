"""Derivatives of functions."""

from .checking import *
from .gradients import *
