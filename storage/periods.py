"""Days, weeks and months, as the clocks on a chat's wall show them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Kind = Literal["day", "week", "month"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Period:
    """One day, week (from Monday) or month. `name` is its own among all kinds: 2026-11-20, 2026-W47, 2026-11."""

    name: str
    renews_at: datetime


def kind_of(word: str) -> Kind:
    """Read a kind of period. Raises ValueError for any other word."""
    if word not in KINDS:
        raise ValueError(word)
    return word


def period_of(moment: float, kind: Kind = "day", zone: str = "UTC") -> Period:
    """Give the period that holds `moment`, and when the next one begins.

    Raises ZoneInfoNotFoundError or ValueError for a `zone` that is none.
    """
    return _period(int(moment // 900), kind, zone)


@lru_cache(maxsize=4096)
def _period(quarter: int, kind: Kind, zone: str) -> Period:
    """Reckon for a quarter of an hour at a time: clocks everywhere are shifted by whole ones, so none begins within."""
    local = datetime.fromtimestamp(quarter * 900, ZoneInfo(zone))
    first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if kind == "day":
        name, after = first.date().isoformat(), first + timedelta(days=1)
    elif kind == "week":
        first -= timedelta(days=first.weekday())
        year, week, _ = first.isocalendar()
        name, after = f"{year}-W{week:02}", first + timedelta(days=7)
    else:
        first = first.replace(day=1)
        name, after = f"{first:%Y-%m}", (first + timedelta(days=32)).replace(day=1)
    return Period(name, after.astimezone(UTC))


def utc_day(moment: float) -> str:
    """Give the day (UTC) that holds `moment`."""
    return period_of(moment).name
