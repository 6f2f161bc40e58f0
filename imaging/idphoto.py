"""The ID photo: exact pixels on a colour, asked for in pixels, millimetres or by a document's name."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from imaging import presets
from imaging.arguments import Found, check_background, normalise, read, read_colours, split
from imaging.errors import ArgumentError
from imaging.measures import DPI_DEFAULT, DPI_MAX, DPI_MIN, SIDE_MAX, SIDE_MIN, check_side, pixels, read_measures
from imaging.operation import FORMAT_WORDS, TRANSPARENT, Colour, Format, Operation, bg_color, pick

Side = Annotated[int, Field(ge=SIDE_MIN, le=SIDE_MAX)]
WHITE = "FFFFFF"
ONE_INCH = (25.0, 35.0, "mm")  # China's one inch: the 295x413 pixels that the contract has as default


class IdPhoto(Operation):
    """A portrait cut out and centred at exactly `width` x `height` pixels, on a colour (jpg) or nothing (png).

    `dpi` (for print) and `max_bytes` (the file's cap, jpg only) are ours: the wire knows neither.
    """

    name: ClassVar[str] = "idphoto"
    example: ClassVar[str] = "/idphoto 300x400 white"
    width: Side = 295
    height: Side = 413
    format: Literal["png", "jpg"] = "jpg"
    background: Colour | None = WHITE
    dpi: Annotated[int, Field(ge=DPI_MIN, le=DPI_MAX)] = DPI_DEFAULT
    max_bytes: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_background(cls, data: dict[str, Any]) -> dict[str, Any]:
        """JPG without a colour is white, PNG without one transparent, as the API has it."""
        return {"background": None if data.get("format") == "png" else WHITE} | {
            key: value for key, value in data.items() if (key, value) != ("background", None)
        }

    @model_validator(mode="after")
    def _png_is_transparent(self) -> Self:
        if self.format == "png" and (self.background or self.max_bytes):
            raise ValueError("a background or a file-size cap needs jpg")
        return self

    @classmethod
    def parse(cls, text: str, usual_size: str | None = None, usual_background: str | None = None) -> Self:
        """Words: a size (300x400, 35x45mm, 35x45mm@600), a preset's name, a colour, jpg or png, a cap (<200kb).

        Where they name no size or document, `usual_size` (a preset's id) and `usual_background` (RRGGBB) are meant.
        """
        found = Found(cls.name, cls.example)
        words = split(read_measures(normalise(text), found))
        words = read(words, {**FORMAT_WORDS, **TRANSPARENT}, found)
        preset = _read_preset(read_colours(words, found), found)
        _check_format(found)
        values = found.values
        if preset is None and found.values["format"] == "jpg" and usual_background:
            values.setdefault("background", usual_background)
        if preset is None and "size" not in values and (preset := presets.PRESETS.get(usual_size or "")):
            values["size"] = (preset.width_mm, preset.height_mm, "mm")
        if preset and values["format"] == "jpg":
            values.setdefault("background", preset.background)
        values.setdefault("dpi", preset.dpi if preset else DPI_DEFAULT)
        width, height, unit = values.pop("size", ONE_INCH)
        values["width"], values["height"] = pixels(width, height, unit, values["dpi"])
        check_side(found, values["width"], values["height"], found.words.get("size", found.words.get("dpi", "")))
        return cls.model_validate(values)

    def fields(self) -> dict[str, str]:
        """`size`, `format`, and `bg_color` with jpg, where alone it works."""
        fields = {"size": f"{self.width}x{self.height}", "format": self.format}
        return fields | ({"bg_color": self.background} if self.background else {})

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """`size`, default 295x413; `format`, default png as on the wire; `bg_color`, without effect on png."""
        formats: Mapping[str, Literal["jpg", "png"]] = {"jpg": "jpg", "jpeg": "jpg", "png": "png"}
        size = fields.get("size", "").strip() or "295x413"
        match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size, re.ASCII)
        if not match or not all(SIDE_MIN <= int(side) <= SIDE_MAX for side in match.groups()):
            raise ArgumentError("argument_field", field="size", word=size[:40])
        format_ = pick(fields, "format", formats, "png")
        background = bg_color(fields)
        return cls(
            width=int(match[1]),
            height=int(match[2]),
            format=format_,
            background=background if format_ == "jpg" else None,
        )

    @property
    def result_format(self) -> Format:
        """As asked for."""
        return self.format


def _check_format(found: Found) -> None:
    """Settle on jpg or png. Raises ArgumentError: argument_format, argument_png_background, argument_png_cap."""
    if found.values.get("format") == "webp":
        raise found.error("argument_format", word="webp")
    check_background(found)
    if found.values.setdefault("format", "jpg") == "png" and "max_bytes" in found.values:
        raise found.error("argument_png_cap", word=found.words["max_bytes"])


def _read_preset(words: list[str], found: Found) -> presets.Preset | None:
    """Find the preset that the words left over name together; its size goes into `found`."""
    if not words:
        return None
    name = " ".join(words)
    if preset := presets.find(name):
        found.put("size", (preset.width_mm, preset.height_mm, "mm"), name)
        return preset
    for word in words:
        if not presets.find(word):
            raise found.unknown(word)
    raise found.error("argument_conflict", first=words[0], second=words[-1])
