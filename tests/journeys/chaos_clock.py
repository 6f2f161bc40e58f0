"""`python -m tests.journeys.chaos_clock run`: the bot under a wall clock that others can turn.

SIGUSR1 turns it two days on, SIGUSR2 two days back. Only `time.time` jumps: the monotonic clock, by which asyncio
waits, never does on a real machine either.
"""

import signal
import time

import bot.app  # noqa: F401  what takes a second to load must be here before anybody turns the clock
from bot.cli import main

DAYS = 2 * 86_400.0
_true_time = time.time
_turned = 0.0


def _turn(number: int, _: object) -> None:
    global _turned  # noqa: PLW0603  a clock is as global as it gets
    _turned += DAYS if number == signal.SIGUSR1 else -DAYS


if __name__ == "__main__":
    time.time = lambda: _true_time() + _turned
    for each in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, _turn)
    main()
