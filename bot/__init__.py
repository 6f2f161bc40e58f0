"""The program itself: settings, command line, wiring, web side, logs and pacing."""

import importlib
import os
import sys

# python-telegram-bot's coming type for times, chosen now: otherwise every 429 logs a deprecation warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")

if "rich" not in sys.modules:
    # These import rich, if it is there, for what a bot at rest never draws: 4 MB.
    sys.modules["rich"] = None  # type: ignore[assignment]  # None: "import rich" raises ImportError (sys.modules)
    for name in ("httpx", "structlog", "typer"):
        importlib.import_module(name)
    del sys.modules["rich"]
