"""The program itself: settings, command line, wiring, web side, logs and pacing."""

import importlib
import os
import sys

# python-telegram-bot's coming type for times, chosen now: otherwise every 429 logs a deprecation warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")

if "rich" not in sys.modules:
    # structlog imports rich for tracebacks that we never draw: 7 MB which a bot at rest does without.
    sys.modules["rich"] = None  # type: ignore[assignment]  # None: "import rich" raises ImportError (sys.modules)
    importlib.import_module("structlog")
    del sys.modules["rich"]
