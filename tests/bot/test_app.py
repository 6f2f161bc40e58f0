"""The whole program, as far as it comes."""

import pytest

from bot.app import run
from bot.settings import Settings

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
