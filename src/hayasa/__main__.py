"""``python -m hayasa`` is the same as the command ``hayasa``."""

from .cli import main

raise SystemExit(main())
