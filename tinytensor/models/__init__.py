"""Models, built of tinytensor.nn."""

from .language import *
from .vision import *
