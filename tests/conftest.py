"""What every test runs under."""

import os

# python-telegram-bot's new way to give periods of time; the old one warns, and warnings fail tests.
os.environ.setdefault("PTB_TIMEDELTA", "1")
