"""The command ``hayasa``."""

from .commands import main as main
