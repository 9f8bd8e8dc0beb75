"""``python -m tinytensor``: print what runs here."""

from .config import show_config

show_config()
