"""Settings: what is read, and how what is wrong is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.settings import PREFIX, WEBHOOK_PORT, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "123456:AAFake-token_for-tests"
GOOD = {"BOT_TOKEN": TOKEN, "GPTGE_TOKEN": "sk-fake"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in (GOOD | values).items():
        monkeypatch.setenv(PREFIX + name, value)
    return load_settings()


def lines(monkeypatch: pytest.MonkeyPatch, **values: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **values)
    assert caught.value.__cause__ is None
    return caught.value.lines


def test_two_keys_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token and a provider's key everything else has its promised default."""
    settings = load(monkeypatch)
    assert (settings.provider_rate, settings.daily_allowance, settings.job_timeout) == (2, 10, 600)
    assert (settings.on_server, settings.gptge_url) == (False, "https://api.gpt.ge")
    assert settings.database_url.get_secret_value() == "sqlite:///darkroom.db"
    assert (settings.concurrency, settings.wait, settings.telegram_rate) == (16, "poll", 30)
    assert (settings.allowed_chats, settings.daily_spend_cap, settings.web_port) == (None, None, None)


def test_everything_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists, times, words for "no limit" and levels are read as people write them."""
    settings = load(
        monkeypatch,
        ADMIN_IDS="1, 22,",
        ALLOWED_CHATS="-1001234567890123,5",
        PROVIDERS="picwish, gptge",
        PICWISH_API_KEY="k",
        PICWISH_RETURN_TYPE="3",
        WAIT="sync",
        DAILY_ALLOWANCE="Unlimited",
        DAILY_SPEND_CAP="none",
        JOB_TIMEOUT="1.5m",
        PUBLIC_URL="https://bot.example/base/",
        BOT_API_URL="http://bot-api:8081/",
        LOG_LEVEL="debug",
        CONCURRENCY="",
    )
    assert settings.admin_ids == (1, 22)
    assert settings.allowed_chats == frozenset({-1001234567890123, 5})
    assert settings.providers == ("picwish", "gptge")
    assert (settings.picwish_return_type, settings.job_timeout, settings.concurrency) == (3, 90, 16)
    assert settings.daily_allowance is settings.daily_spend_cap is None
    assert (settings.public_url, settings.bot_api_url) == ("https://bot.example/base", "http://bot-api:8081")
    assert (settings.log_level, settings.web_port) == ("DEBUG", WEBHOOK_PORT)
    assert load(monkeypatch, HTTP_PORT="99", ALLOWED_CHATS="all").web_port == 99


def test_what_is_sold_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs, rates, prices and time zones as people write them."""
    read = load(
        monkeypatch, PACKS="20:25, 100:100", PERSON_RATE="30/10m", COST_ENHANCE_LARGE="same", TIME_ZONE="Asia/Tehran"
    )
    assert read.packs == ((20, 25), (100, 100))
    assert (read.person_rate, read.cost_enhance_large, read.time_zone) == ((30, 600.0), None, "Asia/Tehran")
    none = load(monkeypatch, PACKS="", PERSON_RATE="none")
    assert (none.packs, none.person_rate) == ((), None)


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A .env file works, lists included, and one variable in the environment overrules it."""
    text = f"DARKROOM_BOT_TOKEN={TOKEN}\nDARKROOM_GPTGE_TOKEN=sk\nDARKROOM_ADMIN_IDS=7,8\nDARKROOM_CONCURRENCY=3\n"
    (tmp_path / ".env").write_text(text)
    monkeypatch.setenv("DARKROOM_CONCURRENCY", "5")
    settings = load_settings()
    assert (settings.admin_ids, settings.concurrency) == ((7, 8), 5)


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a setting: missing, malformed, impossible together, and misspelt ones with the nearest name."""
    told = lines(
        monkeypatch,
        BOT_TOKEN="",
        PROVIDERS="gptge,picwish",
        ADMIN_IDS="1,me",
        CONCURRENCY="0",
        WAIT="callback",
        JOB_TIMEOUT="soon",
        DATABASE_URL="mysql://root:hunter2@db/x",
        DAILY_ALOWANCE="5",
        XYZZY="1",
    )
    assert [line.partition(":")[0].removeprefix(PREFIX) for line in told] == [
        "BOT_TOKEN", "ADMIN_IDS", "PICWISH_API_KEY", "WAIT", "JOB_TIMEOUT", "CONCURRENCY", "DATABASE_URL",
        "DAILY_ALOWANCE", "XYZZY",
    ]  # fmt: skip
    text = "\n".join(told)
    assert "is required. The token BotFather gave you." in text
    assert "it is 'me'" in text
    assert "did you mean DARKROOM_DAILY_ALLOWANCE?" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BOT_TOKEN", "not-a-token", "BotFather"),
        ("GPTGE_TOKEN", "sk bad", "no key has"),
        ("GPTGE_URL", "ftp://x", "https://host"),
        ("GPTGE_URL", "https://user:pw@x", "https://host"),
        ("GPTGE_URL", "https://user:hunter2/x@y", "https://host"),
        ("GPTGE_URL", "https://[hunter2]", "https://host"),
        ("GPTGE_URL", "https://x:99999", "https://host"),
        ("PUBLIC_URL", "http://bot.example", "https://"),
        ("PUBLIC_URL", "http://10.0.0.1", "https://"),
        ("PROVIDERS", "gptge,gptge", "each only once"),
        ("PROVIDERS", "midjourney", "'gptge' or 'picwish'"),
        ("PROVIDERS", ",", "at least one"),
        ("PICWISH_RETURN_TYPE", "3", "should be sync"),
        ("HTTP_PORT", "70000", "65535"),
        ("TELEGRAM_RATES", "3", "did you mean DARKROOM_TELEGRAM_RATE?"),
        ("DATABASE_URL", "sqlite://", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:", "a file's path"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "postgresql://user:password@host/name"),
        ("DATABASE_URL", "postgresql://u:hunter2@db", "postgresql://user:password@host:port/name"),
        ("DATABASE_URL", "postgresql://u:hunter2@db:port/x", "postgresql://user:password@host:port/name"),
        ("DATABASE_URL", "postgresql://u:hunter2@home@db/x", "%40"),
        ("DATABASE_URL", "postgresql://db/x?user=u&password=hunter2", "postgresql://user:password@host:port/name"),
        ("DAILY_ALLOWANCE", "-1", "greater than or equal to 0"),
        ("DAILY_ALLOWANCE", "none", "a number or `unlimited`"),
        ("DAILY_SPEND_CAP", "unlimited", "a number or `none`"),
        ("ALLOWED_CHATS", "@shop", "(it is '@shop'). Ids of the chats"),
        ("PACKS", "20", "credits:stars"),
        ("PACKS", "20:0", "credits:stars"),
        ("PACKS", "20:1,20:2", "each number of credits once"),
        ("PERSON_RATE", "30", "30/10m"),
        ("PERSON_RATE", "0/10m", "30/10m"),
        ("TIME_ZONE", "Mars/Olympus", "Europe/Berlin"),
        ("COST_CUTOUT", "-1", "greater than or equal to 0"),
        ("JOB_TIMEOUT", "0", "greater than 0"),
    ],
)
def test_each_wrong_value_says_what_is_wanted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    """A wrong value gives one line with what to write instead."""
    (line,) = lines(monkeypatch, **{name: value})
    assert line.startswith(PREFIX)
    assert words in line
    assert "hunter2" not in line


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:1"])
def test_this_machine_needs_no_https(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Tests and the demo run a webhook on loopback."""
    assert load(monkeypatch, PUBLIC_URL=url, WAIT="callback").public_url == url


def test_an_unreadable_file_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A .env that is no UTF-8 text gives a line, not a traceback."""
    (tmp_path / ".env").write_bytes(b"DARKROOM_BOT_TOKEN=\xff\xfe")
    assert "UTF-8" in lines(monkeypatch)[0]


def test_no_secret_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor errors show a key, and `secrets` names all of them for the log's redactor."""
    settings = load(monkeypatch)
    for secret in (TOKEN, "sk-fake", settings.webhook_secret.get_secret_value()):
        assert secret not in repr(settings)
        assert secret in settings.secrets()
    assert "AAFake" not in "\n".join(lines(monkeypatch, BOT_TOKEN="x:AAFake"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///darkroom",
        "postgres://u@db.example:5433/darkroom",
        "postgresql+psycopg://u:p%40ss%2Fw-0rd@[::1]:5432/darkroom?sslmode=require&host=/run/postgresql",
        "postgresql://a,b/darkroom",
    ],
)
def test_a_server(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The spellings of a PostgreSQL URL; its password is a secret, as it is written there and as it is."""
    settings = load(monkeypatch, DATABASE_URL=url)
    assert settings.on_server
    assert url not in repr(settings)
    assert {"p%40ss%2Fw-0rd", "p@ss/w-0rd"} <= set(settings.secrets()) or "p%40" not in url
    assert "" not in settings.secrets()


def test_the_webhook_secret_comes_from_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stable, differs between bots, and has only characters Telegram allows."""
    one = load(monkeypatch).webhook_secret.get_secret_value()
    other = load(monkeypatch, BOT_TOKEN="1:b").webhook_secret.get_secret_value()
    assert one != other
    assert re.fullmatch(r"[A-Za-z0-9_-]{32,256}", one)


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes a setting while the program runs."""
    with pytest.raises(ValueError, match="frozen"):
        load(monkeypatch).concurrency = 1


@settings(max_examples=15)
@given(st.integers(1, 86_400))
def test_seconds_in_any_unit(seconds: int) -> None:
    """A plain number, s, m and h mean the same time."""
    for text in (f"{seconds}", f"{seconds}s", f" {seconds / 60:.9f} M", f"{seconds / 3600:.9f}h"):
        made = Settings(bot_token=TOKEN, gptge_token="k", job_timeout=text)  # type: ignore[arg-type]
        assert made.job_timeout == pytest.approx(seconds, abs=0.001)
