"""Part of the composition root: what the handlers are given, and what things cost."""

from bot.alerts import Alerts
from bot.settings import Settings
from bot.windows import AT_ONCE
from handlers.context import House
from handlers.words import Words
from imaging.operations import OPERATIONS
from imaging.routing import Router
from jobs.dispatch import Desk, Dispatch
from jobs.prices import Prices
from storage import ledger, people
from storage.database import Database


def make_prices(settings: Settings) -> Prices:
    """Give what photos cost."""
    large = settings.cost_enhance if settings.cost_enhance_large is None else settings.cost_enhance_large
    return Prices({name: getattr(settings, f"cost_{name}") for name in OPERATIONS}, large)


def make_terms(settings: Settings) -> ledger.Terms:
    """Give what the operator settled for every chat."""
    return ledger.Terms(
        ledger.UNLIMITED if settings.daily_allowance is None else settings.daily_allowance,
        settings.daily_spend_cap,
        zone=settings.time_zone,
        person_cap=settings.person_daily_cap,
    )


def make_house(
    settings: Settings, db: Database, dispatch: Dispatch, words: Words, router: Router | None, alerts: Alerts
) -> House:
    """Give the rooms around the handlers; `router` is this process's, if it talks to providers."""
    terms, prices = make_terms(settings), make_prices(settings)
    rate = people.Rate(*settings.person_rate) if settings.person_rate else None
    return House(
        db=db,
        desk=Desk(db, dispatch, terms, prices.most, chat_unfinished=settings.chat_waiting, rate=rate),
        words=words,
        terms=terms,
        costs=prices.most,
        least_costs={**prices.each, "enhance": min(prices.each["enhance"], prices.enhance_large)},
        admin_ids=frozenset(settings.admin_ids),
        allowed_chats=settings.allowed_chats,
        packs=dict(settings.packs),
        providers=router,
        latency=alerts.latency,
        keep_days=settings.keep_days,
        at_once=AT_ONCE,
    )
