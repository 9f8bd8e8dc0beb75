"""The reference kernels: NumPy definitions of what every kernel means, for any dtype and layout.

Each fast kernel is tested against its twin here, and hands over to it whatever it does not cover.
A module of Cython kernels has its twins in the module of the same name; windows and checks are
what twins share. (A kernel may have the name of its family, and then hides the module.)
"""

from typing import TYPE_CHECKING

from . import attention as _attention
from . import cells as _cells
from . import conv as _conv
from . import copies as _copies
from . import ctc as _ctc
from . import dropout as _dropout
from . import embedding as _embedding
from . import gated as _gated
from . import gemm as _gemm
from . import losses as _losses
from . import maps as _maps
from . import norm as _norm
from . import optim as _optim
from . import packed as _packed
from . import pooling as _pooling
from . import recurrent as _recurrent
from . import reduction as _reduction
from . import rotary as _rotary
from . import softmax as _softmax
from . import spec as _spec
from . import special as _special
from .attention import *
from .cells import *
from .conv import *
from .copies import *
from .ctc import *
from .dropout import *
from .embedding import *
from .gated import *
from .gemm import *
from .losses import *
from .maps import *
from .norm import *
from .optim import *
from .packed import *
from .pooling import *
from .recurrent import *
from .reduction import *
from .rotary import *
from .softmax import *
from .spec import *
from .special import *

if not TYPE_CHECKING:  # a type checker reads no __all__ that is put together
    __all__ = [
        *_attention.__all__,
        *_cells.__all__,
        *_conv.__all__,
        *_copies.__all__,
        *_ctc.__all__,
        *_dropout.__all__,
        *_embedding.__all__,
        *_gated.__all__,
        *_gemm.__all__,
        *_losses.__all__,
        *_maps.__all__,
        *_norm.__all__,
        *_optim.__all__,
        *_packed.__all__,
        *_pooling.__all__,
        *_recurrent.__all__,
        *_reduction.__all__,
        *_rotary.__all__,
        *_softmax.__all__,
        *_spec.__all__,
        *_special.__all__,
    ]
