"""Tells the admins in chat what only they can mend: a refused key, an empty account, many failures, a cap that is near.

At most once an hour for each cause, however many processes notice it.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Iterable
from statistics import fmean

import structlog
from telegram import Bot
from telegram.error import TelegramError

from bot.metrics import Metrics
from handlers.words import Words
from storage import alerts, ledger
from storage.database import Database
from storage.periods import utc_day

QUIET_SECONDS = 3600.0
LATELY = 20
"""Jobs, or requests to one provider, that count as lately."""

NEAR = 0.8
"""Share of the daily spend cap at which it is near."""

_REFUSALS = ("key_refused", "out_of_credit")
# How a job may end without anything being wrong with us or a provider.
NO_FAULT = frozenset(
    {
        *("delivered", "cancelled", "chat_gone", "undeliverable"),
        *("not_a_picture", "picture_too_large", "no_face", "link_unreachable", "picture"),
    }
)
log = structlog.get_logger()


class Alerts(Metrics):
    """Metrics that also speak up. `cap` bounds a day's credits over all chats."""

    def __init__(
        self,
        db: Database,
        bot: Bot,
        words: Words,
        admin_ids: Iterable[int],
        *,
        failure_share: float,
        cap: int | None,
    ) -> None:
        super().__init__()
        self._db = db
        self._bot = bot
        self._words = words
        self._admin_ids = tuple(admin_ids)
        self._failure_share = failure_share
        self._cap = cap
        self._told: dict[str, float] = {}  # spares looking into the database, where all processes see what was told
        self._failed: deque[bool] = deque(maxlen=LATELY)
        self._seconds: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=LATELY))
        self._tasks: set[asyncio.Task[None]] = set()

    def provider_request(self, provider: str, seconds: float, outcome: str) -> None:
        """Count a request, and tell of a refusal that only the operator can mend."""
        super().provider_request(provider, seconds, outcome)
        self._seconds[provider].append(seconds)
        if outcome in _REFUSALS:
            self._tell(f"alert_{outcome}", f"{outcome} {provider}", provider=provider)

    def job_ended(self, operation: str, provider: str, outcome: str) -> None:
        """Count a job, and tell when too many of the last ones failed."""
        super().job_ended(operation, provider, outcome)
        self._failed.append(outcome not in NO_FAULT)
        if len(self._failed) == LATELY and sum(self._failed) >= self._failure_share * LATELY:
            self._tell("alert_failures", "failures", failed=sum(self._failed), n=LATELY)

    def credits_moved(self, kind: str, amount: int) -> None:
        """Count credits, and look whether the cap is near."""
        super().credits_moved(kind, amount)
        if self._cap is not None and self._admin_ids and self._is_due("spend cap"):
            self._start(self._look_at_cap(self._cap))

    def latency(self, provider: str) -> float | None:
        """Give the mean seconds of a provider's last requests."""
        return fmean(self._seconds[provider]) if self._seconds[provider] else None

    async def close(self) -> None:
        """Say what is still to be said."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _look_at_cap(self, cap: int) -> None:
        spent = await self._db.look(lambda conn: ledger.spent_on(conn, utc_day(time.time())))
        if spent >= NEAR * cap:
            self._tell("alert_spend_cap", "spend cap", n=spent, cap=cap)

    def _is_due(self, cause: str) -> bool:
        return time.monotonic() - self._told.get(cause, -QUIET_SECONDS) >= QUIET_SECONDS

    def _tell(self, key: str, cause: str, **params: str | int) -> None:
        if self._is_due(cause):
            self._told[cause] = time.monotonic()
            self._start(self._tell_once(cause, self._words.say(None, key, **params)))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_once(self, cause: str, text: str) -> None:
        if not await self._db.persist(lambda conn: alerts.tell(conn, cause, QUIET_SECONDS)):
            return  # another process was first
        log.warning("admins_told", cause=cause)
        for admin_id in self._admin_ids:
            try:
                await self._bot.send_message(admin_id, text)
            except TelegramError as error:  # an admin who never wrote to the bot cannot be told
                log.warning("admin_out_of_reach", admin=admin_id, reason=error.message)
