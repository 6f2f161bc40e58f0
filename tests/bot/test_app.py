"""The whole program, as far as it comes."""

from pathlib import Path

import pytest

from bot.app import run
from bot.settings import Settings
from tests.botapi import TOKEN, answer, bot_api, error
from tests.journeys.stage import free_port

ME = {"id": 123456, "is_bot": True, "first_name": "Darkroom", "username": "darkroom_bot"}
READ_ONLY = "options=-cdefault_transaction_read_only%3Don"
"""Has a server open the database as a standby does."""


@pytest.mark.parametrize(("query", "why"), [(READ_ONLY, "read-only transaction"), ("sslmode=perhaps", "sslmode")])
async def test_a_database_that_cannot_be_used(
    server_url: str, query: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the database refuses before the bot is ready ends the start with one sentence, and no traceback."""
    settings = Settings(bot_token="99:token", gptge_token="key", database_url=f"{server_url}?{query}")  # type: ignore[arg-type]  # they are checked there
    assert await run(settings) == 1
    written = "".join(capsys.readouterr())
    assert written.count("cannot start") == 1
    assert why in written
    assert "Traceback" not in written


async def test_a_webhook_that_telegram_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A public address that Telegram cannot use ends the start with its reason in one sentence, and no traceback."""
    async with bot_api() as api:
        api.answers = [answer(ME), error(400, "Bad Request: bad webhook: Failed to resolve host")]
        settings = Settings(
            bot_token=TOKEN,  # type: ignore[arg-type]  # they are checked there
            bot_api_url=api.url,
            gptge_token="key",  # type: ignore[arg-type]  # as above
            database_url=f"sqlite:///{tmp_path / 'darkroom.db'}",  # type: ignore[arg-type]  # as above
            public_url="https://bot.example",
            http_port=free_port(),
        )
        assert await run(settings) == 1
    assert [call.method for call in api.calls] == ["getMe", "setWebhook"]
    written = "".join(capsys.readouterr())
    assert written.count("cannot start") == 1
    assert "resolve host" in written
    assert "Traceback" not in written
