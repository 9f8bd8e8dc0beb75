"""Every differentiable operation: forward and gradient rules side by side, a family to a file."""

from .elementwise import *
from .indexing import *
from .reduction import *
from .shape import *
