"""Operations: what people type is understood in any order and case, or refused with a reason and an example."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from imaging.errors import ArgumentError
from imaging.operations import OPERATIONS, Colorize, Cutout, Enhance, IdPhoto, Operation, load

WHITE = "FFFFFF"
operations = st.one_of(
    st.builds(Colorize),
    st.builds(Enhance),
    st.builds(IdPhoto, format=st.just("jpg"), background=st.from_regex("[0-9A-F]{6}", fullmatch=True)),
    st.builds(IdPhoto, format=st.just("png"), background=st.none(), max_bytes=st.none()),
    st.builds(Cutout, format=st.just("jpg"), background=st.none() | st.from_regex("[0-9A-F]{6}", fullmatch=True)),
    st.builds(Cutout, format=st.just("png"), background=st.none()),
)
# Words that go together in any order, by operation; one of each inner list is drawn.
COMBINATIONS: dict[str, list[list[str]]] = {
    "colorize": [["png", "WEBP", "jpeg", "JPG", ""]],
    "enhance": [["face", "Clean", ""], ["2x", "X4", "4", "×2", "1х", "auto", ""]],  # noqa: RUF001
    "idphoto": [
        ["300x400", "300×400", "300*400px", "35x45mm", "3.5x4.5cm", "35X45мм", "us", "паспорт", "一寸", ""],
        ["#ffffff", "FFF", "white", "blue", "白底", "синий", "438EDB", ""],
        ["jpg", "JPEG", ""],
        ["<200kb", "<1mb", ""],
        ["@600", "350dpi", ""],
    ],
    "cutout": [
        ["person", "Object", "stamp", "auto", ""],
        ["both", "image", "2", ""],
        ["crop", ""],
        ["#abc", "red", "jpg", ""],
    ],
}


def refusal(name: str, text: str) -> ArgumentError:
    with pytest.raises(ArgumentError) as refused:
        OPERATIONS[name].parse(text)
    return refused.value


def idphoto(**fields: object) -> IdPhoto:
    return IdPhoto.model_validate(fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", idphoto()),
        ("300x400", idphoto(width=300, height=400, background=WHITE)),
        ("300x400 FFFFFF", idphoto(width=300, height=400)),
        ("ffffff 300X400", idphoto(width=300, height=400)),
        ("300×400", idphoto(width=300, height=400)),
        ("300*400", idphoto(width=300, height=400)),
        ("300 x 400", idphoto(width=300, height=400)),
        ("300х400", idphoto(width=300, height=400)),  # noqa: RUF001  the letter of a Russian keyboard
        ("300Х400", idphoto(width=300, height=400)),  # noqa: RUF001
        ("۳۰۰×۴۰۰", idphoto(width=300, height=400)),
        ("300x400, #438edb!", idphoto(width=300, height=400, background="438EDB")),
        ("300x400,000", idphoto(width=300, height=400, background="000000")),
        ("300x400,000000", idphoto(width=300, height=400, background="000000")),
        ("100x2000 FFF", idphoto(width=100, height=2000)),
        ("png", idphoto(format="png", background=None)),
        ("transparent 200x200", idphoto(format="png", width=200, height=200)),
        ("jpg", idphoto()),
        ("abc", idphoto(background="AABBCC")),
        ("#123", idphoto(background="112233")),
        ("000", idphoto(background="000000")),
        ("light blue background", idphoto(background="D8E6F3")),
        ("35x45mm", idphoto(width=413, height=531)),
        ("35 x 45 mm", idphoto(width=413, height=531)),
        ("3,5x4,5cm", idphoto(width=413, height=531)),
        ("35x45мм", idphoto(width=413, height=531)),
        ("35x45mm@600", idphoto(width=827, height=1063, dpi=600)),
        ("35x45mm 600 dpi", idphoto(width=827, height=1063, dpi=600)),
        ("2x2 in", idphoto(width=600, height=600)),
        ("2x2", idphoto(width=600, height=600)),
        ("3х4", idphoto(width=354, height=472)),  # noqa: RUF001
        ("@600", idphoto(width=591, height=827, dpi=600)),
        ("us", idphoto(width=600, height=600)),
        ("us@600", idphoto(width=1200, height=1200, dpi=600)),
        ("US visa", idphoto(width=600, height=600)),
        ("паспорт", idphoto(width=413, height=531)),
        ("一寸", idphoto()),
        ("一寸 蓝底", idphoto(background="438EDB")),
        ("Schengen", idphoto(width=413, height=531, background="E6E6E6")),
        ("schengen white", idphoto(width=413, height=531)),
        ("schengen png", idphoto(width=413, height=531, format="png")),
        ("<200kb", idphoto(max_bytes=200_000)),
        ("≤ 1,5 MB us", idphoto(width=600, height=600, max_bytes=1_500_000)),
    ],
)
def test_id_photos_as_people_ask_for_them(text: str, expected: IdPhoto) -> None:
    """Sizes, colours, presets, millimetres and caps in their many spellings mean one thing each."""
    assert IdPhoto.parse(text) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("colorize", "", Colorize()),
        ("colorize", "PNG", Colorize(format="png")),
        ("colorize", "jpeg, JPG", Colorize(format="jpg")),
        ("colorize", "webp", Colorize(format="webp")),
        ("enhance", "", Enhance()),
        ("enhance", "face", Enhance(type="face")),
        ("enhance", "2x", Enhance(scale=2)),
        ("enhance", "x4", Enhance(scale=4)),
        ("enhance", "Clean ×1", Enhance(scale=1)),
        ("enhance", "4 FACE", Enhance(type="face", scale=4)),
        ("enhance", "2х", Enhance(scale=2)),  # noqa: RUF001
        ("enhance", "auto", Enhance(scale=None)),
        ("cutout", "", Cutout()),
        ("cutout", "person both crop", Cutout(type="person", output=1, crop=True)),
        ("cutout", "mask", Cutout(output=3)),
        ("cutout", "stamp jpg", Cutout(type="stamp", format="jpg")),
        ("cutout", "white", Cutout(format="jpg", background=WHITE)),
        ("cutout", "jpg FFF object", Cutout(type="object", format="jpg", background=WHITE)),
        ("cutout", "transparent", Cutout()),
    ],
)
def test_the_other_commands(name: str, text: str, expected: Operation) -> None:
    """Every parameter of the contract can be typed."""
    assert OPERATIONS[name].parse(text) == expected


@pytest.mark.parametrize(
    ("name", "text", "code", "params"),
    [
        ("idphoto", "png FFFFFF", "argument_png_background", {"word": "ffffff"}),
        ("idphoto", "red us PNG", "argument_png_background", {"word": "red"}),
        ("cutout", "png white", "argument_png_background", {"word": "white"}),
        ("idphoto", "webp", "argument_format", {"word": "webp"}),
        ("cutout", "webp", "argument_format", {"word": "webp"}),
        ("idphoto", "300x400 200x300", "argument_conflict", {"first": "300x400", "second": "200x300"}),
        ("idphoto", "us 300x400", "argument_conflict", {"first": "300x400", "second": "us"}),
        ("idphoto", "us china", "argument_conflict", {"first": "us", "second": "china"}),
        ("idphoto", "white black", "argument_conflict", {"first": "white", "second": "black"}),
        ("idphoto", "jpg png", "argument_conflict", {"first": "jpg", "second": "png"}),
        ("idphoto", "@300 @600", "argument_conflict", {"first": "@300", "second": "@600"}),
        ("idphoto", "<1mb <2mb", "argument_conflict", {"first": "<1mb", "second": "<2mb"}),
        ("enhance", "2x 4x", "argument_conflict", {"first": "2x", "second": "4x"}),
        ("enhance", "auto 2x", "argument_conflict", {"first": "auto", "second": "2x"}),
        ("enhance", "clean face", "argument_conflict", {"first": "clean", "second": "face"}),
        ("colorize", "png jpg", "argument_conflict", {"first": "png", "second": "jpg"}),
        ("cutout", "person object", "argument_conflict", {"first": "person", "second": "object"}),
        ("cutout", "both mask", "argument_conflict", {"first": "both", "second": "mask"}),
        ("cutout", "mask white", "argument_conflict", {"first": "mask", "second": "white"}),
        ("idphoto", "99x400", "argument_size_range", {"word": "99x400", "low": 100, "high": 2000}),
        ("idphoto", "300x2001", "argument_size_range", {"word": "300x2001", "low": 100, "high": 2000}),
        ("idphoto", "999999999x999999999", "argument_size_range", {"word": "999999999x999999999"}),
        ("idphoto", "300x400mm", "argument_size_range", {"word": "300x400mm"}),
        ("idphoto", "35x45", "argument_size_range", {"word": "35x45", "example": "/idphoto 35x45mm"}),
        ("idphoto", "us@1200", "argument_size_range", {"word": "us"}),
        ("idphoto", "@72", "argument_size_range", {"word": "@72"}),
        ("idphoto", "@5", "argument_dpi_range", {"word": "@5", "low": 72, "high": 1200}),
        ("idphoto", "<1kb", "argument_cap_range", {"word": "<1kb", "low": 5, "high": 10_000}),
        ("idphoto", "<20mb", "argument_cap_range", {"word": "<20mb"}),
        ("idphoto", "png <200kb", "argument_png_cap", {"word": "<200kb"}),
        ("idphoto", "300", "argument_unknown", {"word": "300", "operation": "idphoto"}),
        ("idphoto", "300 400", "argument_unknown", {"word": "300"}),
        ("idphoto", "300x400x500", "argument_unknown", {"word": "300x400x500"}),
        ("idphoto", "us bigger", "argument_unknown", {"word": "bigger"}),
        ("idphoto", "#12", "argument_unknown", {"word": "#12"}),
        ("idphoto", "face", "argument_unknown", {"word": "face"}),
        ("idphoto", "x" * 5000, "argument_unknown", {"word": "x" * 40}),
        ("enhance", "3x", "argument_unknown", {"word": "3x", "example": "/enhance face 2x"}),
        ("enhance", "png", "argument_unknown", {"word": "png"}),
        ("enhance", "100x100", "argument_unknown", {"word": "100x100"}),
        ("colorize", "FFF", "argument_unknown", {"word": "fff", "operation": "colorize"}),
        ("cutout", "300x400", "argument_unknown", {"word": "300x400"}),
    ],
)
def test_refusals_name_the_word_and_an_example(name: str, text: str, code: str, params: dict[str, object]) -> None:
    """What is wrong is refused by its own code, with the word at fault and an example that works."""
    error = refusal(name, text)
    assert error.code == code
    assert params.items() <= error.params.items()
    command, _, arguments = str(error.params["example"]).partition(" ")
    assert command == f"/{name}"
    OPERATIONS[name].parse(arguments)


@given(st.sampled_from(sorted(COMBINATIONS)), st.data())
def test_order_and_case_do_not_matter(name: str, data: st.DataObject) -> None:
    """Any order, case and separator of the same words gives the same operation."""
    words = [data.draw(st.sampled_from(choices)) for choices in COMBINATIONS[name]]
    expected = OPERATIONS[name].parse(" ".join(words))
    shuffled = data.draw(st.permutations(words))
    gap = data.draw(st.sampled_from([" ", "  ", ", ", "\n", "\t", "；", "、", "\u00a0"]))  # noqa: RUF001  separators people type
    change = data.draw(st.sampled_from([str.upper, str.lower, str.title]))
    assert OPERATIONS[name].parse(change(gap.join(shuffled))) == expected


def test_every_order_of_a_full_request() -> None:
    """All 24 orders of four words mean the same."""
    found = {IdPhoto.parse(" ".join(words)) for words in itertools.permutations(["us", "blue", "<200kb", "@350"])}
    assert found == {idphoto(width=700, height=700, background="438EDB", max_bytes=200_000, dpi=350)}


FRAGMENTS = st.sampled_from(
    [
        "300x400",
        "x",
        "×",
        "4",
        "mm",
        "@",
        "600",
        "<",
        "kb",
        "#",
        "fff",
        "png",
        "us",
        " ",
        ",",
        ".",
        "一寸",
        "100",
        "\u200c",
        "²",
        "٣",
    ]
)


@given(st.sampled_from(sorted(OPERATIONS)), st.text(max_size=60) | st.lists(FRAGMENTS, max_size=12).map("".join))
@example("idphoto", "1e9x1e9")
@example("idphoto", "٣٣٣x٤٤٤")
@example("enhance", "²x")
def test_any_text_gives_an_operation_or_an_argument_error(name: str, text: str) -> None:
    """Nothing a person can type raises anything else, and what is understood survives the wire and storage."""
    try:
        operation = OPERATIONS[name].parse(text)
    except ArgumentError as error:
        assert error.params["example"]  # noqa: PT017  either outcome is right
        return
    assert load(name, operation.model_dump_json()) == operation


@given(operations)
def test_operations_survive_the_wire_and_storage(operation: Operation) -> None:
    """`from_fields(fields())` and `load(dump)` give the operation back, less what is not the wire's."""
    sent = operation.fields()
    ours = {"dpi": 300, "max_bytes": None} if isinstance(operation, IdPhoto) else {}
    assert type(operation).from_fields(sent) == operation.model_copy(update=ours)
    assert load(operation.name, operation.model_dump_json()) == operation
    assert not {"image_file", "image_url", "sync", "callback_url"} & sent.keys()
    assert sent.get("format") == operation.result_format


def test_the_wire_is_that_of_the_contract() -> None:
    """Field names and values stand as in API_CONTRACT; a background is sent with format=jpg."""
    assert IdPhoto.parse("300x400 FFFFFF").fields() == {"size": "300x400", "format": "jpg", "bg_color": WHITE}
    assert IdPhoto.parse("png").fields() == {"size": "295x413", "format": "png"}
    assert Colorize().fields() == {"format": "jpg"}
    assert Enhance().fields() == {"type": "clean"}
    assert Enhance(type="face", scale=2).fields() == {"type": "face", "scale_factor": "2"}
    assert Cutout().fields() == {"output_type": "2", "crop": "0", "format": "png"}
    assert Cutout.parse("person both crop red").fields() == {
        "type": "person",
        "output_type": "1",
        "crop": "1",
        "format": "jpg",
        "bg_color": "FF0000",
    }


def test_the_wires_defaults_are_not_the_commands() -> None:
    """Fields left out or blank mean what the vendor says; fields of no operation are ignored."""
    assert IdPhoto.from_fields({}) == IdPhoto(format="png")
    assert IdPhoto.from_fields({"format": "png", "bg_color": WHITE}).background is None
    assert IdPhoto.from_fields({"format": "jpeg", "bg_color": "#ff0000"}).background == "FF0000"
    assert IdPhoto.from_fields({"format": "jpg"}).background == WHITE
    assert Enhance.from_fields({"scale_factor": "", "type": " "}) == Enhance()
    assert Colorize.from_fields({"format": "JPEG", "sync": "1", "image_url": "https://x"}) == Colorize()
    assert Cutout.from_fields({"type": "", "crop": "1", "output_type": "3"}) == Cutout(crop=True, output=3)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("colorize", "format", "gif"),
        ("enhance", "type", "person"),
        ("enhance", "scale_factor", "3"),
        ("idphoto", "size", "300X400"),
        ("idphoto", "size", "99x100"),
        ("idphoto", "size", "300x20000"),
        ("idphoto", "size", "٣٣٣x٤٤٤"),
        ("idphoto", "format", "webp"),
        ("idphoto", "bg_color", "white"),
        ("cutout", "type", "cat"),
        ("cutout", "output_type", "4"),
        ("cutout", "crop", "yes"),
        ("cutout", "format", "webp"),
        ("cutout", "bg_color", "FFF"),
    ],
)
def test_wrong_wire_fields_are_refused(name: str, field: str, value: str) -> None:
    """The engine learns which field was wrong."""
    with pytest.raises(ArgumentError) as refused:
        OPERATIONS[name].from_fields({field: value})
    assert refused.value.code == "argument_field"
    assert refused.value.params["field"] == field


@given(
    st.sampled_from(sorted(OPERATIONS)), st.dictionaries(st.sampled_from(["size", "format", "type", "crop"]), st.text())
)
def test_any_wire_fields_give_an_operation_or_an_argument_error(name: str, fields: dict[str, str]) -> None:
    """Hostile form fields raise nothing else."""
    try:
        OPERATIONS[name].from_fields(fields)
    except ArgumentError as error:
        assert error.code == "argument_field"  # noqa: PT017  either outcome is right


@pytest.mark.parametrize(
    "options",
    [
        {"format": "png", "background": WHITE},
        {"format": "png", "max_bytes": 9000},
        {"background": "white"},
        {"width": 99},
        {"colour": WHITE},
    ],
)
def test_impossible_id_photos_cannot_be_made(options: dict[str, object]) -> None:
    """Buttons that put an operation together meet the same rules."""
    with pytest.raises(ValidationError):
        idphoto(**options)
    with pytest.raises(ValidationError):
        Cutout(background=WHITE)


def test_operations_are_frozen_keys() -> None:
    """Equal operations are one cache key and none can be changed."""
    assert len({IdPhoto.parse("white"), IdPhoto.parse("FFF"), IdPhoto()}) == 1
    with pytest.raises(ValidationError):
        IdPhoto().width = 300
    assert list(OPERATIONS) == ["colorize", "enhance", "idphoto", "cutout"]
