"""Every differentiable operation: forward and gradient rules side by side, a family to a file."""

from . import fourier, matrices
from .attention import *
from .complex_numbers import *
from .conv import *
from .dropout import *
from .elementary import *
from .elementwise import *
from .embedding import *
from .indexing import *
from .loss import *
from .matmul import *
from .norm import *
from .pool import *
from .recurrent import *
from .reduction import *
from .resample import *
from .searching import *
from .shape import *
from .softmax import *
from .tensor_products import *
from .updates import *
