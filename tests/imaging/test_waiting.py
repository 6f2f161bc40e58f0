"""Polling learns how long tasks take: shown on a simulated clock."""

import math
import random
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.waiting import ENOUGH, FIRST, GROWTH, MEMORY, Durations

LATENCY = 0.01


def develop(durations: Durations, takes: float) -> tuple[float, int]:
    """Poll for one task that takes so many seconds; give the seconds lost after it was done and the polls."""
    clock = not_yet = 0.0
    polls = 0
    while True:
        clock += durations.next_wait(clock)
        polls += 1
        if clock >= takes:
            durations.learn(not_yet, clock)
            return clock - takes, polls
        not_yet = clock
        clock += LATENCY


@pytest.mark.parametrize("seed", range(10))
def test_lognormal_durations(seed: int) -> None:
    """The issue's figure: durations around 2 s (sigma 0.3), median wait under 150 ms with under 6 polls."""
    chance = random.Random(seed)  # noqa: S311  a simulation
    durations = Durations()
    seen = [develop(durations, chance.lognormvariate(math.log(2), 0.3)) for _ in range(300)][20:]
    assert median(lost for lost, _ in seen) < 0.15
    assert mean(polls for _, polls in seen) < 6
    assert median(polls for _, polls in seen) < 6


@pytest.mark.parametrize("takes", [0.01, 0.5, 2.0, 30.0, 300.0])
def test_cold_start(takes: float) -> None:
    """Before anything is known the wait is bounded by a quarter of the task's time, the polls by its logarithm."""
    lost, polls = develop(Durations(), takes)
    assert lost <= max(FIRST, takes * GROWTH) + LATENCY
    assert polls <= 5 + math.log(max(takes, 1)) / math.log(1 + GROWTH)


def test_fast_tasks_are_not_waited_for_long() -> None:
    """A provider that takes 20 ms is soon asked after some 50 ms, not after the cold start's 300."""
    durations = Durations()
    lost = [develop(durations, 0.02)[0] for _ in range(100)][-1]
    assert lost < 0.06


def test_it_follows_a_provider_that_gets_slower() -> None:
    """After as many tasks as are remembered only the new speed counts."""
    durations = Durations()
    for takes in [1.0] * 100 + [8.0] * MEMORY:
        lost, polls = develop(durations, takes)
    assert lost < 0.5
    assert polls <= 5


@given(st.lists(st.floats(0.001, 1000), max_size=3 * MEMORY), st.floats(0, 2000))
def test_the_next_poll_always_comes(history: list[float], waited: float) -> None:
    """Whatever was learned, the next wait is positive and in proportion."""
    durations = Durations()
    for takes in history:
        durations.learn(takes / 2, takes)
    wait = durations.next_wait(waited)
    assert 0 < wait <= max([FIRST, *history, waited])
    assert len(history) >= ENOUGH or wait == max(FIRST, waited * GROWTH)
