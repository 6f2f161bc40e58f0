"""What a person hears when something breaks, and what the operator's log gets."""

import pytest
import structlog
from telegram.error import Forbidden

from tests.handlers.conftest import WORDS, Stage
from tests.handlers.telegram_wire import ANNA, GROUP, PHOTO, PRIVATE, message, press, receive

SORRY = WORDS.say("en", "error_unexpected")


async def test_a_handler_breaks(stage: Stage) -> None:
    """The person gets an apology without internals; the log gets the exception and the update's number."""
    await stage.db.close()
    with structlog.testing.capture_logs() as logs:
        await receive(stage.app, message=message(PRIVATE, ANNA, "/quota", **PHOTO))
    assert stage.wire.texts() == [SORRY]
    (entry,) = [entry for entry in logs if entry["event"] == "handler_failed"]
    assert isinstance(entry["exc_info"], Exception)
    assert entry["update_id"]


async def test_a_press_breaks(stage: Stage) -> None:
    """A press that breaks a handler is answered with the apology."""
    await stage.db.close()
    buttons = message(PRIVATE, None, reply_to_message=message(PRIVATE, ANNA, **PHOTO))
    await receive(stage.app, callback_query=press(ANNA, "1:colorize:7", buttons))
    assert stage.wire.calls[-1][1]["text"] == SORRY


@pytest.mark.parametrize(
    ("status", "description", "event"),
    [
        (403, "Forbidden: bot was blocked by the user", "chat_gone"),
        (400, "Bad Request: not enough rights to send text messages to the chat", "handler_failed"),
    ],
)
async def test_a_chat_that_takes_no_words(stage: Stage, status: int, description: str, event: str) -> None:
    """Where the bot may not write, it stays quiet; a person who blocked it is no failure."""
    stage.wire.failing = {"sendMessage": (status, description)}
    with structlog.testing.capture_logs() as logs:
        await receive(stage.app, message=message(GROUP, ANNA, "/help"))
    assert [entry["event"] for entry in logs] == [event]


async def test_not_an_update(stage: Stage) -> None:
    """An error that belongs to no update is logged and nothing else."""
    with structlog.testing.capture_logs() as logs:
        await stage.app.process_error(None, RuntimeError("a background task"))
        await stage.app.process_error(None, Forbidden("gone"))
    assert [entry["event"] for entry in logs] == ["handler_failed", "chat_gone"]
    assert stage.wire.sent() == []
