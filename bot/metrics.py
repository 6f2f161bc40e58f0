"""What the program counts, for `/metrics`; one object made by the composition root, no global state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

# A circuit breaker's words: closed means in use; paused: by an admin.
PROVIDER_STATES = ("closed", "half_open", "open", "paused")
# From one hot call on a LAN to the longest job the default timeout allows.
STAGE_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600)


class Metrics:
    """All metrics with a typed method each; label values come from short fixed lists, never from people."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        here = self.registry
        by_job = ["operation", "provider", "outcome"]
        self._updates = Counter("darkroom_updates", "Updates taken in.", ["kind"], registry=here)
        self._repeats = Counter("darkroom_updates_repeated", "Updates that came again, ignored.", registry=here)
        self._jobs = Counter("darkroom_jobs", "Jobs that ended.", by_job, registry=here)
        self._stages = Histogram(
            "darkroom_stage_seconds", "Time by stage.", ["stage"], buckets=STAGE_SECONDS, registry=here
        )
        self._queue = Gauge("darkroom_queue_depth", "Jobs waiting, and jobs under way.", ["place"], registry=here)
        self._credits = Counter("darkroom_credits", "Credits, by kind of ledger row.", ["kind"], registry=here)
        self._requests = Histogram(
            "darkroom_provider_request_seconds",
            "Requests to providers.",
            ["provider", "outcome"],
            buckets=STAGE_SECONDS,
            registry=here,
        )
        self._provider = Gauge(
            "darkroom_provider_state", "1 for the breaker's present state.", ["provider", "state"], registry=here
        )
        self._unknown = Counter(
            "darkroom_unknown_submissions", "Paid requests whose answer was lost.", ["provider"], registry=here
        )
        self._duplicates = Counter("darkroom_duplicate_deliveries", "Results perhaps delivered twice.", registry=here)

    def update(self, kind: str) -> None:
        """Count an update; `kind` is its Bot API field, such as "message"."""
        self._updates.labels(kind).inc()

    def update_repeated(self) -> None:
        """Count an update that was already in the inbox."""
        self._repeats.inc()

    def job_ended(self, operation: str, provider: str, outcome: str) -> None:
        """Count an ended job; `provider` is "" if none was reached, `outcome` delivered, cancelled or an error code."""
        self._jobs.labels(operation, provider, outcome).inc()

    def stage(self, stage: str, seconds: float) -> None:
        """Note how many seconds one stage of one job took."""
        self._stages.labels(stage).observe(seconds)

    def watch_queue(self, waiting: Callable[[], float], working: Callable[[], float]) -> None:
        """Ask these functions for the queue's depth whenever the metrics are read."""
        self._queue.labels("waiting").set_function(waiting)
        self._queue.labels("working").set_function(working)

    def credits_moved(self, kind: str, amount: int) -> None:
        """Count `amount` (0 or more) credits under the ledger row's kind, such as "settle"."""
        self._credits.labels(kind).inc(amount)

    def provider_request(self, provider: str, seconds: float, outcome: str) -> None:
        """Note a request to a provider; `outcome` is "ok" or an error's code (imaging.errors)."""
        self._requests.labels(provider, outcome).observe(seconds)

    def provider_state(self, provider: str, state: str) -> None:
        """Show a provider's breaker as closed, half_open, open or paused; raises ValueError for another word."""
        if state not in PROVIDER_STATES:
            raise ValueError(state)
        for each in PROVIDER_STATES:
            self._provider.labels(provider, each).set(each == state)

    def unknown_submission(self, provider: str) -> None:
        """Count a paid request whose outcome is unknown."""
        self._unknown.labels(provider).inc()

    def duplicate_delivery(self) -> None:
        """Count a result that may have reached its chat twice."""
        self._duplicates.inc()

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
