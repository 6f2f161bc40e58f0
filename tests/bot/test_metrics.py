"""The metrics an operator's graphs are drawn from."""

from __future__ import annotations

import pytest

from bot.metrics import Metrics


def test_every_metric_the_operator_was_promised_is_shown() -> None:
    """Each method leaves its line in the text Prometheus reads."""
    metrics = Metrics()
    metrics.update("message")
    metrics.update_repeated()
    metrics.job_ended("colorize", "gptge", "delivered")
    metrics.stage("wait", 1.5)
    metrics.provider_request("gptge", 0.2, "ok")
    metrics.watch_queue(lambda: 3, lambda: 2)
    metrics.credits_moved("settle", 4)
    metrics.provider_state("gptge", "open")
    metrics.unknown_submission("picwish")
    metrics.duplicate_delivery()
    lines = metrics.render().decode().splitlines()
    for line in (
        'darkroom_updates_total{kind="message"} 1.0',
        "darkroom_updates_repeated_total 1.0",
        'darkroom_jobs_total{operation="colorize",outcome="delivered",provider="gptge"} 1.0',
        'darkroom_stage_seconds_sum{stage="wait"} 1.5',
        'darkroom_provider_request_seconds_sum{outcome="ok",provider="gptge"} 0.2',
        'darkroom_queue_depth{place="waiting"} 3.0',
        'darkroom_queue_depth{place="working"} 2.0',
        'darkroom_credits_total{kind="settle"} 4.0',
        'darkroom_provider_state{provider="gptge",state="open"} 1.0',
        'darkroom_provider_state{provider="gptge",state="closed"} 0.0',
        'darkroom_unknown_submissions_total{provider="picwish"} 1.0',
        "darkroom_duplicate_deliveries_total 1.0",
    ):
        assert line in lines


def test_two_programs_in_one_process_do_not_share_metrics() -> None:
    """Each object has its own registry, so tests and embedded bots never meet."""
    one, other = Metrics(), Metrics()
    one.duplicate_delivery()
    assert b"darkroom_duplicate_deliveries_total 0.0" in other.render()


def test_an_unknown_breaker_state_is_refused() -> None:
    """A misspelt state would silently show a provider in none."""
    with pytest.raises(ValueError, match="ajar"):
        Metrics().provider_state("gptge", "ajar")
