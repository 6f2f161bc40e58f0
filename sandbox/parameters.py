"""Turns what a call carries (form, JSON, multipart) into checked parameters, by the table in api.json."""

# ruff: noqa: ANN401  a parameter may be any JSON value

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.errors import Refused, bad_request

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("api.json").read_text())
METHODS: dict[str, dict[str, str]] = TABLE["methods"]
TYPES: dict[str, str | dict[str, str]] = TABLE["types"]
REACTIONS: frozenset[str] = frozenset(TABLE["reactions"])
LOWERED = {name.lower(): name for name in METHODS}  # Telegram does not look at a method's case
TRUE_WORDS = {"true": True, "1": True, "false": False, "0": False, "": False}
NO_FILE = {"photo", "document", "sticker"}


@dataclass(frozen=True)
class Upload:
    """A file part of a multipart call."""

    name: str
    mime: str
    data: bytes


Raw = Mapping[str, Any]


def method_name(asked: str) -> str:
    """Return the method's proper name, or refuse with 404 as Telegram does."""
    try:
        return LOWERED[asked.lower()]
    except KeyError:
        raise Refused(404, "Not Found: method not found") from None


def coerce(method: str, raw: Raw) -> tuple[dict[str, Any], dict[str, Upload]]:
    """Return (parameters by name, uploads by attach name); refuse what the reference does not know with 400.

    Values that are strings (a form's) are read as the table says; others (a JSON body's) must already fit.
    """
    fields = METHODS[method]
    uploads = {name: value for name, value in raw.items() if isinstance(value, Upload)}
    parameters = {}
    for name, value in raw.items():
        if name in fields:
            parameters[name] = _read(name, value, fields[name])
        elif name not in uploads:
            raise bad_request(f'unknown parameter "{name}" of {method}')
    attached = {value for value in _strings(parameters) if value.startswith("attach://")} if uploads else set()
    for name in uploads:
        if name not in fields and f"attach://{name}" not in attached:
            raise bad_request(f'the file "{name}" is not a parameter of {method} and nothing refers to it')
    for name, kinds in fields.items():
        if name not in parameters and kinds.endswith("!"):
            raise _missing(name)
    return parameters, uploads


def _missing(name: str) -> Refused:
    if name == "chat_id":
        return bad_request("chat_id is empty")
    if name == "text":
        return bad_request("message text is empty")
    if name in NO_FILE:
        return bad_request(f"there is no {name} in the request")
    return bad_request(f'parameter "{name}" is required')


@cache
def _kinds(kinds: str) -> tuple[str, ...]:
    return tuple(kinds.rstrip("!").split("|"))


def _read(name: str, value: Any, kinds: str) -> Any:
    """Read one parameter: the first of *kinds* that fits wins."""
    read = _from_string(value, kinds) if isinstance(value, str) else value
    if read is None or not (isinstance(value, str) or _fits_any(value, kinds)):
        raise bad_request(f'can\'t parse "{name}": it must be {kinds.rstrip("!").replace("|", " or ")}')
    return read


def _from_string(value: str, kinds: str) -> Any:
    one_of = _kinds(kinds)
    if "Boolean" in one_of:
        return TRUE_WORDS.get(value.lower())
    if one_of != ("String",):
        try:
            read = json.loads(value)
        except ValueError:
            read = None
        if read is not None and not isinstance(read, str) and _fits_any(read, kinds):
            return read
    return value if "String" in one_of else None


SCALARS: dict[str, type | tuple[type, ...]] = {
    "Integer": int,
    "Float": (int, float),
    "String": str,
    "InputFile": Upload,
}


def fits(value: Any, kind: str) -> bool:
    """Say whether a JSON value is a *kind* of the reference, nested objects and unknown fields included."""
    if kind.startswith("Array of "):
        return isinstance(value, list) and all(fits(item, kind[9:]) for item in value)
    if kind in {"Boolean", "True"} or isinstance(value, bool):
        return isinstance(value, bool) and kind in {"Boolean", "True"}
    if kind in SCALARS:
        return isinstance(value, SCALARS[kind])
    if kind.startswith("String="):
        return bool(value == kind[7:])
    return _fits_type(value, TYPES[kind])


def _fits_type(value: Any, described: str | dict[str, str]) -> bool:
    if isinstance(described, str):
        return _fits_any(value, described)
    return (
        isinstance(value, dict)
        and all(name in value or not kinds.endswith("!") for name, kinds in described.items())
        and all(name in described and _fits_any(item, described[name]) for name, item in value.items())
    )


def _fits_any(value: Any, kinds: str) -> bool:
    """Say whether *value* is one of *kinds*; an array may mix the kinds of several array types."""
    one_of = _kinds(kinds)
    if isinstance(value, list) and value:
        return all(any(fits([item], kind) for kind in one_of) for item in value)
    return any(fits(value, kind) for kind in one_of)


def _strings(value: Any) -> list[str]:
    """Return every string inside a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []
