"""What admins take away: a CSV no spreadsheet runs, figures also without matplotlib, invoices that are ours alone."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.export import FORMULA, _safe
from handlers.payments import Invoice
from handlers.stats import draw
from storage.overview import Figures
from tests.handlers.conftest import WORDS, Stage
from tests.handlers.telegram_wire import ADMIN, ANNA, PRIVATE, message


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    """Whatever somebody wrote as a reason, no cell begins as a formula does, and the words stay."""
    cell = str(_safe(text))
    assert not cell.startswith(FORMULA)
    assert cell.endswith(text)
    assert _safe(-5) == -5


async def test_figures_without_matplotlib(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed the figures come as words, with how to get the picture."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = await stage.say(message(PRIVATE, ADMIN, "/stats 30d"))
    assert "photos 0" in said
    assert said.endswith(WORDS.say("en", "stats_install"))


def test_a_picture_of_nothing() -> None:
    """Days without a photo can be drawn too."""
    assert draw("Last 24h", Figures({}, [], {}, 0)).startswith(b"\x89PNG")


@given(st.integers(-(2**52), 2**52), st.integers(1, 999_999), st.integers(1, 999_999))
def test_invoices_are_read_as_written(chat_id: int, credits: int, stars: int) -> None:
    """What was packed is read again, within Telegram's 128 bytes."""
    invoice = Invoice(chat_id, credits, stars)
    assert Invoice.read(invoice.pack()) == invoice
    assert len(invoice.pack().encode()) <= 128


@given(st.text(max_size=40) | st.from_regex(r"1:[-0-9a-z:]*", fullmatch=True))
def test_no_payload_breaks_the_checkout(payload: str) -> None:
    """Any payload is read or refused, never an error."""
    found = Invoice.read(payload)
    assert found is None or payload.startswith("1:")


@pytest.mark.parametrize("text", ["/setquota 5", "/grant 7 thanks", "/block", "/chat"])
async def test_orders_in_reply_to_a_person(stage: Stage, text: str) -> None:
    """An answer to somebody's message names that person; an answer to the bot's own names nobody."""
    theirs = message(PRIVATE, ANNA, "hello")
    assert str(ANNA["id"]) in await stage.say(message(PRIVATE, ADMIN, text, reply_to_message=theirs))
    bots = message(PRIVATE, {"id": 99, "is_bot": True, "first_name": "Darkroom"}, "hello")
    assert "here" in await stage.say(message(PRIVATE, ADMIN, text, reply_to_message=bots))
