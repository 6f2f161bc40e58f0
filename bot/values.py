"""How single values are written in settings: lists, times, addresses, databases, packs, rates, time zones."""

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, SecretStr

_IN_FILE = re.compile(r"sqlite(\+aiosqlite)?:///(?!:memory:)[^?]+")
_ON_SERVER = re.compile(
    r"postgres(?:ql)?(?:\+psycopg)?://(?:[^\s:/@?#]*(?::(?P<password>(?:[^\s:/@?#%]|%[0-9A-Fa-f]{2})*))?@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@?#\[\]]*)(?::\d{1,5})?/[^\s/@?#]+(?:\?(?!(?:.*&)?(?:ssl)?password=)[^\s#]*)?"
)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _split(value: object) -> object:
    """Turn "1, 2" into ["1", "2"]; anything that is no text passes unchanged."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _seconds(value: object) -> object:
    """Turn "600", "90s", "10m" or "1h" into seconds."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", value, re.ASCII | re.IGNORECASE)
    if match is None:
        raise ValueError("should be seconds, or a time such as 90s, 10m or 1h")
    return float(match[1]) * _SECONDS[match[2].lower()]


def unless(word: str) -> BeforeValidator:
    """Read `word` as None, that is: no limit."""
    return BeforeValidator(lambda v: None if isinstance(v, str) and v.strip().lower() == word else v)


def _url(value: object) -> object:
    """Check an http(s) address and drop the slash at its end."""
    text = str(value).strip()
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # its words repeat what may be a piece of a password
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError("should be an address such as https://host or http://host:8000/path")
    return text.rstrip("/")


def _packs(value: object) -> object:
    """Turn "20:25, 100:100" into ((20, 25), (100, 100)): credits and Stars."""
    if not isinstance(value, str):
        return value
    pairs = re.fullmatch(r"(\s*\d{1,6}\s*:\s*\d{1,6}\s*(,|$))*", value, re.ASCII)
    found = tuple((int(n), int(stars)) for n, stars in re.findall(r"(\d+)\s*:\s*(\d+)", value, re.ASCII))
    if not pairs or not all(n and stars for n, stars in found) or len(dict(found)) < len(found):
        raise ValueError("should be credits:stars, each number of credits once, such as 20:25,100:100")
    return found


def _rate(value: object) -> object:
    """Turn "30/10m" into (30, 600.0)."""
    if not isinstance(value, str):
        return value
    burst, _, span = value.partition("/")
    try:
        rate = (int(burst), float(str(_seconds(span))))
    except ValueError:
        rate = (0, 0.0)
    if not (0 < rate[0] <= 10_000 and 0 < rate[1] <= 86_400):  # noqa: PLR2004  more a day is no limit
        raise ValueError("should be photos/span, such as 30/10m, or none")
    return rate


def _zone(value: str) -> str:
    """Check the name of a time zone."""
    try:
        return ZoneInfo(value.strip()).key
    except (OSError, ValueError, KeyError):
        raise ValueError("should be a time zone such as Europe/Berlin or Asia/Tehran") from None


def _database(value: SecretStr) -> SecretStr:
    """Check where the database is."""
    url = value.get_secret_value()
    if url.startswith("postgres"):
        if not _ON_SERVER.fullmatch(url):
            raise ValueError(
                "should be postgresql://user:password@host:port/name; in a password @ : / ? # % and spaces are"
                " written as %40 and so on"
            )
    elif not _IN_FILE.fullmatch(url):
        raise ValueError(
            "should be sqlite:/// and a file's path, such as sqlite:////data/darkroom.db,"
            " or postgresql://user:password@host/name"
        )
    return value


def passwords_in(url: str) -> set[str]:
    """Give the password in a database's URL as it is written there and as it is; nothing if there is none."""
    found = _ON_SERVER.fullmatch(url)
    password = (found and found["password"]) or ""
    return {password, unquote(password)} - {""}


Url = Annotated[str, BeforeValidator(_url)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Packs = Annotated[tuple[tuple[int, int], ...], BeforeValidator(_packs)]
PersonRate = Annotated[tuple[int, float], BeforeValidator(_rate)]
Zone = Annotated[str, AfterValidator(_zone)]
Listed = BeforeValidator(_split)
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database)]
