"""The program itself: settings, command line, wiring, web side, logs and pacing."""

import importlib
import os
import sys

# python-telegram-bot's coming type for times, chosen now: otherwise every 429 logs a deprecation warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")

_DRAWING = [name for name in ("rich", "pygments") if name not in sys.modules]
if _DRAWING:
    # These import both, if they are there, for what a bot at rest never draws: 4 MB.
    sys.modules |= dict.fromkeys(_DRAWING)  # type: ignore[arg-type]  # None: importing it raises ImportError (sys.modules)
    for name in ("httpx", "structlog", "typer"):
        importlib.import_module(name)
    for name in _DRAWING:
        del sys.modules[name]
