"""Every differentiable operation: forward and gradient rules side by side, a family to a file."""

from .attention import *
from .dropout import *
from .elementwise import *
from .embedding import *
from .indexing import *
from .loss import *
from .norm import *
from .recurrent import *
from .reduction import *
from .shape import *
from .softmax import *
