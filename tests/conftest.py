"""What every test runs under."""

import os

from hypothesis import settings

# python-telegram-bot's new way to give periods of time; the old one warns, and warnings fail tests.
os.environ.setdefault("PTB_TIMEDELTA", "1")

# A noisy machine makes single examples slow; what counts is how long the whole run takes.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
