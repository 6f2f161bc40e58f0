"""What every operation is, and what several share: formats, colours, the reading of wire fields."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from imaging.errors import ArgumentError

Format = Literal["jpg", "png", "webp"]
Colour = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{6}$")]
T = TypeVar("T")
Words: TypeAlias = Mapping[str, tuple[str, object]]
FORMATS: Mapping[str, Format] = {"jpg": "jpg", "jpeg": "jpg", "jfif": "jpg", "png": "png", "webp": "webp"}
FORMAT_WORDS: Words = {word: ("format", value) for word, value in FORMATS.items()}
TRANSPARENT: Words = dict.fromkeys(("transparent", "透明", "прозрачный", "transparente", "شفاف"), ("format", "png"))


class Operation(BaseModel):
    """One operation with all its parameters. Equal operations give equal results, so it can key a cache."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]
    example: ClassVar[str]  # a command that works, for answers

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed after the command, in any order and case. Raises ArgumentError."""

    @abstractmethod
    def fields(self) -> dict[str, str]:
        """Return the wire's form fields of API_CONTRACT (never the image, sync or callback)."""

    @classmethod
    @abstractmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """Read wire fields with the wire's defaults; other fields are ignored. Raises ArgumentError."""

    @property
    @abstractmethod
    def result_format(self) -> Format | None:
        """The format asked for; None where the provider decides."""


def pick(fields: Mapping[str, str], key: str, choices: Mapping[str, T], default: T) -> T:
    """Read a wire field's value among its choices; blank is the default. Raises ArgumentError `argument_field`."""
    raw = fields.get(key, "").strip().lower()
    if raw and raw not in choices:
        raise ArgumentError("argument_field", field=key, word=raw[:40])
    return choices[raw] if raw else default


def bg_color(fields: Mapping[str, str]) -> str | None:
    """Read the wire's RRGGBB, upper case; None when blank. Raises ArgumentError `argument_field`."""
    raw = fields.get("bg_color", "").strip().removeprefix("#").upper()
    if raw and not re.fullmatch(r"[0-9A-F]{6}", raw):
        raise ArgumentError("argument_field", field="bg_color", word=raw[:40])
    return raw or None
