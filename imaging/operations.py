"""What can be done to a picture: one frozen model per operation, its words, its wire fields, its checks."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from imaging.arguments import Found, check_background, normalise, read, read_colours, split
from imaging.idphoto import IdPhoto
from imaging.operation import FORMAT_WORDS, FORMATS, TRANSPARENT, Colour, Format, Operation, Words, bg_color, pick

__all__ = ["OPERATIONS", "Colorize", "Cutout", "Enhance", "Format", "IdPhoto", "Operation", "load"]


class Colorize(Operation):
    """Give a black-and-white photo colours."""

    name: ClassVar[str] = "colorize"
    example: ClassVar[str] = "/colorize png"
    format: Format = "jpg"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Words: jpg, png, webp."""
        found = Found(cls.name, cls.example)
        for word in read(split(normalise(text)), FORMAT_WORDS, found):
            raise found.unknown(word)
        return cls.model_validate(found.values)

    def fields(self) -> dict[str, str]:
        """`format`."""
        return {"format": self.format}

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """`format`, default jpg."""
        return cls(format=pick(fields, "format", FORMATS, "jpg"))

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

    @staticmethod
    def factors(longest: int) -> tuple[Literal[4, 2], ...]:
        """Return the factors a picture with this longer side (pixels) can be enlarged by (API_CONTRACT, scale)."""
        return (4, 2) if longest <= 512 else (2,) if longest <= 1024 else ()  # noqa: PLR2004  the API's numbers

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
        return cls(type=pick(fields, "type", types, "clean"), scale=pick(fields, "scale_factor", scales, None))

    @property
    def result_format(self) -> None:
        """The API has no format here."""
        return


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
        **FORMAT_WORDS,
        **TRANSPARENT,
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
        format_ = pick(fields, "format", formats, "png")
        background = bg_color(fields)
        return cls(
            type=pick(fields, "type", types, None),
            output=pick(fields, "output_type", outputs, 2),
            crop=pick(fields, "crop", {"0": False, "1": True}, default=False),
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
