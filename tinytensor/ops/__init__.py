"""Every differentiable operation: forward and gradient rules side by side, a family to a file."""

from .indexing import *
from .shape import *
