"""Models, built of tinytensor.nn."""

from .language import *
from .summarizing import *
from .vision import *
