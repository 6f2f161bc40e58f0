"""What can be done to a picture: one frozen model per operation, its words, its wire fields, its checks."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from imaging import presets
from imaging.arguments import Found, check_background, normalise, read, read_colours, split
from imaging.errors import ArgumentError
from imaging.measures import DPI_DEFAULT, DPI_MAX, DPI_MIN, SIDE_MAX, SIDE_MIN, check_side, pixels, read_measures

Format = Literal["jpg", "png", "webp"]
Colour = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{6}$")]
Side = Annotated[int, Field(ge=SIDE_MIN, le=SIDE_MAX)]
WHITE = "FFFFFF"
T = TypeVar("T")

Words: TypeAlias = Mapping[str, tuple[str, object]]
_FORMATS: Mapping[str, Format] = {"jpg": "jpg", "jpeg": "jpg", "jfif": "jpg", "png": "png", "webp": "webp"}
_FORMAT_WORDS: Words = {word: ("format", value) for word, value in _FORMATS.items()}
_TRANSPARENT: Words = dict.fromkeys(("transparent", "透明", "прозрачный", "transparente", "شفاف"), ("format", "png"))


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


class Colorize(Operation):
    """Give a black-and-white photo colours."""

    name: ClassVar[str] = "colorize"
    example: ClassVar[str] = "/colorize png"
    format: Format = "jpg"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Words: jpg, png, webp."""
        found = Found(cls.name, cls.example)
        for word in read(split(normalise(text)), _FORMAT_WORDS, found):
            raise found.unknown(word)
        return cls.model_validate(found.values)

    def fields(self) -> dict[str, str]:
        """`format`."""
        return {"format": self.format}

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """`format`, default jpg."""
        return cls(format=_pick(fields, "format", _FORMATS, "jpg"))

    @property
    def result_format(self) -> Format:
        """As asked for."""
        return self.format


class Enhance(Operation):
    """Make a photo clearer and larger; `scale` None lets the provider choose by size."""

    name: ClassVar[str] = "enhance"
    example: ClassVar[str] = "/enhance face 2x"
    type: Literal["clean", "face"] = "clean"
    scale: Literal[1, 2, 4] | None = None

    _words: ClassVar[Words] = {
        **dict.fromkeys(("face", "faces", "portrait"), ("type", "face")),
        "clean": ("type", "clean"),
        "auto": ("scale", None),
        **{word: ("scale", n) for n in (1, 2, 4) for word in (f"{n}", f"{n}x", f"x{n}")},
    }

    @classmethod
    def parse(cls, text: str) -> Self:
        """Words: clean, face, auto, and a factor as 2, 2x or x2."""
        found = Found(cls.name, cls.example)
        for word in read(split(normalise(text)), cls._words, found):
            raise found.unknown(word)
        return cls.model_validate(found.values)

    def fields(self) -> dict[str, str]:
        """`type`, and `scale_factor` unless automatic."""
        return {"type": self.type} | ({"scale_factor": str(self.scale)} if self.scale else {})

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """`type`, default clean; `scale_factor`, blank is automatic."""
        scales: Mapping[str, Literal[1, 2, 4]] = {"1": 1, "2": 2, "4": 4}
        types: Mapping[str, Literal["clean", "face"]] = {"clean": "clean", "face": "face"}
        return cls(type=_pick(fields, "type", types, "clean"), scale=_pick(fields, "scale_factor", scales, None))

    @property
    def result_format(self) -> None:
        """The API has no format here."""
        return


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
    def parse(cls, text: str) -> Self:
        """Words: a size (300x400, 35x45mm, 35x45mm@600), a preset's name, a colour, jpg or png, a cap (<200kb)."""
        found = Found(cls.name, cls.example)
        words = split(read_measures(normalise(text), found))
        words = read(words, {**_FORMAT_WORDS, **_TRANSPARENT}, found)
        if found.values.get("format") == "webp":
            raise found.error("argument_format", word="webp")
        preset = _preset(read_colours(words, found), found)
        check_background(found)
        if "max_bytes" in found.values and found.values.setdefault("format", "jpg") == "png":
            raise found.error("argument_png_cap", word=found.words["max_bytes"])
        if preset and found.values.get("format") != "png":
            found.values.setdefault("background", preset.background)
        # 25x35 mm, China's one inch, is the 295x413 that the contract has as default.
        width, height, unit = found.values.pop("size", (25.0, 35.0, "mm"))
        dpi = found.values.setdefault("dpi", preset.dpi if preset else DPI_DEFAULT)
        found.values["width"], found.values["height"] = pixels(width, height, unit, dpi)
        check_side(found, found.values["width"], found.values["height"], found.words.get("size", ""))
        return cls.model_validate(found.values)

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
        format_ = _pick(fields, "format", formats, "png")
        background = _bg_color(fields)
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


class Cutout(Operation):
    """Cut the subject out. `type` None lets the provider find it; `output` 1 image and mask, 2 image, 3 mask."""

    name: ClassVar[str] = "cutout"
    example: ClassVar[str] = "/cutout person white"
    type: Literal["person", "object", "stamp"] | None = None
    output: Literal[1, 2, 3] = 2
    crop: bool = False
    format: Literal["png", "jpg"] = "png"
    background: Colour | None = None

    _words: ClassVar[Words] = {
        **{word: ("type", word) for word in ("person", "object", "stamp")},
        "people": ("type", "person"),
        "auto": ("type", None),
        **dict.fromkeys(("both", "1", "image+mask"), ("output", 1)),
        **dict.fromkeys(("image", "2"), ("output", 2)),
        **dict.fromkeys(("mask", "3"), ("output", 3)),
        "crop": ("crop", True),
        **_FORMAT_WORDS,
        **_TRANSPARENT,
    }

    @model_validator(mode="after")
    def _background_needs_jpg(self) -> Self:
        if self.background and self.format != "jpg":
            raise ValueError("a background needs jpg")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Words: person, object, stamp, auto; both, image, mask; crop; png or jpg; a colour."""
        found = Found(cls.name, cls.example)
        words = read(split(normalise(text)), cls._words, found)
        if found.values.get("format") == "webp":
            raise found.error("argument_format", word="webp")
        for word in read_colours(words, found):
            raise found.unknown(word)
        check_background(found)
        if found.values.get("output") == 3 and "background" in found.values:  # noqa: PLR2004  a mask has no background
            raise found.error("argument_conflict", first=found.words["output"], second=found.words["background"])
        return cls.model_validate(found.values)

    def fields(self) -> dict[str, str]:
        """`type` unless automatic, `output_type`, `crop`, `format`, and `bg_color` if there is one."""
        fields = {"output_type": str(self.output), "crop": str(int(self.crop)), "format": self.format}
        fields |= {"type": self.type} if self.type else {}
        return fields | ({"bg_color": self.background} if self.background else {})

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """All as in the contract, blank is the default; `bg_color` is without effect on png."""
        types: Mapping[str, Literal["person", "object", "stamp"] | None]
        types = {"person": "person", "object": "object", "stamp": "stamp", "auto": None}
        outputs: Mapping[str, Literal[1, 2, 3]] = {"1": 1, "2": 2, "3": 3}
        formats: Mapping[str, Literal["jpg", "png"]] = {"jpg": "jpg", "jpeg": "jpg", "png": "png"}
        format_ = _pick(fields, "format", formats, "png")
        background = _bg_color(fields)
        return cls(
            type=_pick(fields, "type", types, None),
            output=_pick(fields, "output_type", outputs, 2),
            crop=_pick(fields, "crop", {"0": False, "1": True}, default=False),
            format=format_,
            background=background if format_ == "jpg" else None,
        )

    @property
    def result_format(self) -> Format:
        """As asked for."""
        return self.format


OPERATIONS: Mapping[str, type[Operation]] = {kind.name: kind for kind in (Colorize, Enhance, IdPhoto, Cutout)}


def load(name: str, options: str) -> Operation:
    """Return the operation whose `model_dump_json()` is `options`. Raises KeyError, pydantic.ValidationError."""
    return OPERATIONS[name].model_validate_json(options)


def _pick(fields: Mapping[str, str], key: str, choices: Mapping[str, T], default: T) -> T:
    """Read a wire field's value among its choices; blank is the default."""
    raw = fields.get(key, "").strip().lower()
    if raw and raw not in choices:
        raise ArgumentError("argument_field", field=key, word=raw[:40])
    return choices[raw] if raw else default


def _bg_color(fields: Mapping[str, str]) -> str | None:
    raw = fields.get("bg_color", "").strip().removeprefix("#").upper()
    if raw and not re.fullmatch(r"[0-9A-F]{6}", raw):
        raise ArgumentError("argument_field", field="bg_color", word=raw[:40])
    return raw or None


def _preset(words: list[str], found: Found) -> presets.Preset | None:
    """Find the preset that the words left over name together; its size goes into `found`."""
    if not words:
        return None
    name = " ".join(words)
    preset = presets.find(name)
    if preset:
        found.put("size", (preset.width_mm, preset.height_mm, "mm"), name)
        return preset
    for word in words:
        if not presets.find(word):
            raise found.unknown(word)
    raise found.error("argument_conflict", first=words[0][:40], second=words[-1][:40])
