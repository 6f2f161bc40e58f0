"""The program itself: settings, command line, wiring, web side, logs and pacing."""

import importlib
import os
import sys

# python-telegram-bot's coming type for times, chosen now: otherwise every 429 logs a deprecation warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")

_COMMAND_LINE = [name for name in ("click", "rich", "pygments") if name not in sys.modules]
if _COMMAND_LINE:
    # These import all, if they are there, for command lines of theirs and pictures of errors: 5 MB.
    sys.modules |= dict.fromkeys(_COMMAND_LINE)  # type: ignore[arg-type]  # None: importing it raises ImportError (sys.modules)
    for name in ("httpx", "structlog", "typer"):
        importlib.import_module(name)
    for name in _COMMAND_LINE:
        del sys.modules[name]
