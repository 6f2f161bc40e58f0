"""What an operator may set: DARKROOM_* from the environment or .env, checked all at once at the start."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.values import DatabaseUrl, Listed, Packs, PersonRate, Seconds, Url, Zone, passwords_in, unless

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "DARKROOM_"
WEBHOOK_PORT = 8080  # where the webhook listens when nobody chose a port
RAW_BYTES = 3  # PicWish's return_type that is refused without sync=1
LIKE_A_SECRET = re.compile(r"\d{6,}:[\w-]{20,}|sk-\w{6,}|\w{32,}")  # pasted into the wrong setting
KEY_OF = {"gptge_token": "gptge", "picwish_api_key": "picwish"}


class SettingsError(Exception):
    """Settings that cannot be used; `lines` has one sentence per wrong setting, free of secrets."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Settings(BaseSettings):
    """Every setting, frozen. Built by `load_settings`; tests build it with keyword arguments."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    bot_token: SecretStr = Field(description="The token BotFather gave you.")
    bot_api_url: Url = Field(default="https://api.telegram.org", description="The Bot API server.")
    admin_ids: Annotated[tuple[Annotated[int, Field(gt=0)], ...], NoDecode, Listed] = Field(
        default=(), description="Telegram user ids of the admins, comma-separated; `/id` tells you yours."
    )
    providers: Annotated[tuple[Literal["gptge", "picwish"], ...], NoDecode, Listed] = Field(
        default=("gptge",), description="Image providers in order of preference: `gptge`, `picwish`."
    )
    gptge_url: Url = Field(default="https://api.gpt.ge", description="gpt.ge, or your own engine.")
    gptge_token: SecretStr | None = Field(
        default=None, validate_default=True, description="Key for gpt.ge (`sk-…`); required while it is a provider."
    )
    picwish_url: Url = Field(default="https://techhk.aoscdn.com", description="PicWish.")
    picwish_api_key: SecretStr | None = Field(
        default=None, validate_default=True, description="Key for PicWish; required while it is a provider."
    )
    picwish_return_type: Annotated[
        Literal[1, 2, 3], BeforeValidator(lambda v: int(v) if isinstance(v, str) and v in "123" else v)
    ] = Field(default=1, description="PicWish returns a result as 1 a link, 2 base64, 3 bytes (with `sync` only).")
    provider_rate: float = Field(default=2.0, gt=0, le=10_000, description="Requests a second to each provider.")
    public_url: Url | None = Field(
        default=None, description="Where the internet reaches this bot; set it to run by webhook instead of polling."
    )
    wait: Literal["poll", "sync", "callback"] = Field(
        default="poll", description="How to wait for a provider; `callback` needs PUBLIC_URL."
    )
    job_timeout: Seconds = Field(
        default=600.0, gt=0, le=86_400, description="Longest time for one picture's work: seconds, or `90s`, `10m`."
    )
    concurrency: int = Field(default=16, ge=1, le=1000, description="Pictures worked on at the same time.")
    chat_concurrency: int = Field(default=4, ge=1, le=1000, description="The same, for one chat.")
    database_url: DatabaseUrl = Field(
        default=SecretStr("sqlite:///darkroom.db"),
        description="An SQLite file (`sqlite:////absolute.db`), or `postgresql://user:password@host/name` for many"
        " processes.",
    )
    keep_days: int = Field(
        default=30,
        ge=2,
        le=3650,
        description="Days to keep finished jobs, handled updates and results for asking again.",
    )
    daily_allowance: Annotated[int | None, unless("unlimited")] = Field(
        default=10, ge=0, description="Free credits a chat gets each day: a number or `unlimited`."
    )
    daily_spend_cap: Annotated[int | None, unless("none")] = Field(
        default=None, ge=0, description="Credits a day over all chats together: a number or `none`."
    )
    person_daily_cap: Annotated[int | None, unless("none")] = Field(
        default=None, ge=0, description="Free credits a day for one person over all chats: a number or `none`."
    )
    time_zone: Zone = Field(default="UTC", description="When a day begins for chats that chose no time zone.")
    cost_colorize: int = Field(default=1, ge=0, le=1000, description="Credits for one `/colorize`.")
    cost_enhance: int = Field(default=1, ge=0, le=1000, description="Credits for one `/enhance`.")
    cost_enhance_large: Annotated[int | None, unless("same")] = Field(
        default=None,
        ge=0,
        le=1000,
        description="The same for a result with a side over 2048 pixels: a number (PicWish asks 2 and 3) or `same`.",
    )
    cost_idphoto: int = Field(default=1, ge=0, le=1000, description="Credits for one `/idphoto`.")
    cost_cutout: int = Field(default=1, ge=0, le=1000, description="Credits for one `/cutout`.")
    packs: Annotated[Packs, NoDecode] = Field(
        default=(), description="Credits for sale, as credits:Telegram Stars, such as `20:25,100:100`; unset: no sale."
    )
    person_rate: Annotated[PersonRate | None, NoDecode, unless("none")] = Field(
        default=None, description="Photos one person may send at once, and again in each span: `30/10m`, or `none`."
    )
    chat_waiting: int = Field(default=100, ge=1, le=100_000, description="Unfinished photos one chat may have.")
    failure_alert: float = Field(
        default=0.5, gt=0, le=1, description="Share of the last 20 photos that failed at which the admins are told."
    )
    allowed_chats: Annotated[frozenset[int] | None, NoDecode, Listed, unless("all")] = Field(
        default=None, description="Ids of the chats that may use the bot, comma-separated, or `all`."
    )
    telegram_rate: float = Field(default=30.0, gt=0, le=10_000, description="Calls a second to Telegram.")
    http_host: str = Field(default="127.0.0.1", min_length=1, description="Address the web side listens on.")
    http_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description=f"Its port; unset: {WEBHOOK_PORT} with PUBLIC_URL, else no web side.",
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda v: v.strip().upper() if isinstance(v, str) else v),
    ] = Field(default="INFO", description="`debug`, `info`, `warning` or `error`.")
    log_format: Literal["console", "json"] = Field(default="console", description="`console` or `json`.")

    @field_validator("bot_token")
    @classmethod
    def _token_shape(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", value.get_secret_value(), re.ASCII):
            raise ValueError("should look like 123456789:AAF…, exactly as BotFather gave it")
        return value

    @field_validator("providers")
    @classmethod
    def _each_provider_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("should name at least one provider, and each only once")
        return value

    # These read earlier fields from info.data, so that one wrong field never hides another's line.
    @field_validator("gptge_token", "picwish_api_key")
    @classmethod
    def _key_present(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        provider = KEY_OF[str(info.field_name)]
        if value is None and provider in info.data.get("providers", ()):
            raise ValueError(f"is required while {PREFIX}PROVIDERS names {provider}")
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("has characters no key has (spaces, line ends, letters beyond ASCII)")
        return value

    @field_validator("public_url")
    @classmethod
    def _public_is_https(cls, value: str | None) -> str | None:
        if value and not value.startswith("https://") and not _is_loopback(urlsplit(value).hostname or ""):
            raise ValueError("should begin with https://, since Telegram calls nothing else")
        return value

    @field_validator("wait")
    @classmethod
    def _wait_possible(cls, value: str, info: ValidationInfo) -> str:
        if value == "callback" and info.data.get("public_url", "") is None:
            raise ValueError(f"callback needs {PREFIX}PUBLIC_URL, the address providers call")
        if value != "sync" and info.data.get("picwish_return_type") == RAW_BYTES:
            raise ValueError(f"should be sync while {PREFIX}PICWISH_RETURN_TYPE is 3")
        return value

    @property
    def webhook_secret(self) -> SecretStr:
        """What Telegram must send with every webhook call; derived from the token, so never configured."""
        return self._derived(b"darkroom webhook")

    @property
    def callback_key(self) -> SecretStr:
        """What makes the URLs that providers call unguessable; derived likewise, so the same after a restart."""
        return self._derived(b"darkroom callback")

    def _derived(self, purpose: bytes) -> SecretStr:
        return SecretStr(hmac.new(self.bot_token.get_secret_value().encode(), purpose, hashlib.sha256).hexdigest())

    @property
    def on_server(self) -> bool:
        """Whether the database is a PostgreSQL server, which many processes can share."""
        return self.database_url.get_secret_value().startswith("postgres")

    @property
    def web_port(self) -> int | None:
        """The port of the web side, or None when there is none."""
        return self.http_port or (WEBHOOK_PORT if self.public_url else None)

    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be printed, for `bot.logs.configure`."""
        keys = (self.bot_token, self.gptge_token, self.picwish_api_key, self.webhook_secret, self.callback_key)
        passwords = passwords_in(self.database_url.get_secret_value())
        return (*(key.get_secret_value() for key in keys if key), *passwords)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unknown_names(names: Mapping[str, Any]) -> list[str]:
    """One line for each DARKROOM_ name that no setting has, with the nearest that one has."""
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    lines = []
    for name in sorted({n.upper() for n in names}):
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, n=1)
            lines.append(f"{name}: no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    return lines


def _line(error: Any) -> str:  # noqa: ANN401  pydantic's ErrorDetails, whose keys vary
    """One sentence for one of pydantic's errors; the value is shown unless it may be a secret."""
    field = str(error["loc"][0])
    name = PREFIX + field.upper()
    if error["type"] == "missing":
        return f"{name}: is required. {Settings.model_fields[field].description}"
    message = (
        error["msg"].removeprefix("Value error, ").replace("Input should be", "should be").partition(", unable")[0]
    )
    hidden = field in {"bot_token", "database_url", *KEY_OF} or field.endswith("_url")
    if not hidden and not LIKE_A_SECRET.search(str(error["input"])):
        message += f" (it is {error['input']!r})"
    if error["type"] == "value_error":
        return f"{name}: {message}"
    return f"{name}: {message}. {Settings.model_fields[field].description}"  # pydantic does not know of our `none`


def load_settings(env_file: Path = Path(".env")) -> Settings:
    """Read the settings, the environment first, then `env_file` if there is one.

    Raises SettingsError with a line for every wrong, missing or unknown setting.
    """
    try:
        named = {**(dotenv_values(env_file) if env_file.is_file() else {}), **os.environ}
        lines = _unknown_names(named)
        settings = Settings(_env_file=env_file)  # type: ignore[call-arg]  # the fields come from the environment
    except ValidationError as error:
        raise SettingsError([*dict.fromkeys(map(_line, error.errors())), *lines]) from None
    except (OSError, UnicodeDecodeError):
        raise SettingsError([f"{env_file}: cannot be read as UTF-8 text"]) from None
    if lines:
        raise SettingsError(lines)
    return settings
