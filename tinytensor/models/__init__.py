"""Models, built of tinytensor.nn."""

from .evoformer import *
from .language import *
from .pretrained import *
from .summarizing import *
from .temporal import *
from .vision import *
