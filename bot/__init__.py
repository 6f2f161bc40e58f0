"""The program itself: settings, command line, wiring, web side, logs and pacing."""

import os

# python-telegram-bot's coming type for times, chosen now: otherwise every 429 logs a deprecation warning.
os.environ.setdefault("PTB_TIMEDELTA", "1")
