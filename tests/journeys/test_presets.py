"""ID photos by their documents, in words of one's own language, and on paper."""

import io

import pytest
from PIL import Image

from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg
from tests.journeys.test_buttons import picture, press

PORTRAIT = jpeg("astronaut", longest=300)


@pytest.mark.parametrize(
    ("language", "command", "size"),
    [
        ("en", "/idphoto us", (600, 600)),
        ("ru", "/idphoto паспорт", (413, 531)),
        ("zh-hans", "/idphoto 一寸", (295, 413)),
    ],
)
async def test_by_name_in_any_language(house: House, language: str, command: str, size: tuple[int, int]) -> None:
    """A document's name gives its photo, in the language of whoever asks."""
    ann = await house.person(language=language)
    reply = await answer(ann.chat, await ann.send_photo(photo=PORTRAIT, caption=command), result=True)
    assert (await picture(house, reply)).size == size


async def test_a_list_to_turn_and_press(house: House) -> None:
    """/presets lists documents by pages; a press on one asks for the portrait and makes that photo of it."""
    ann = await house.person()
    listed = await answer(ann.chat, await ann.send(text="/presets"))
    first = next(line for line in listed.words.splitlines() if "United States · passport" in line)
    assert "50.8×50.8 mm" in first
    assert first.endswith(" us")
    second = await press(ann, listed, "▶")
    assert second.words != listed.words
    back = await press(ann, second, "◀")
    await press(ann, back, "🇪🇺 visa")
    await ann.chat.wait_for(lambda one: "413x531" in one.words, after=listed)
    taken = await ann.send_photo(photo=PORTRAIT)
    assert (await picture(house, await answer(ann.chat, taken, result=True))).size == (413, 531)


async def test_a_sheet_to_print(house: House) -> None:
    """Under an ID photo stands a print sheet: as a picture of 300 dpi or as a PDF, for nothing."""
    ann = await house.person()
    asked = await ann.send_photo(photo=PORTRAIT, caption="/idphoto 一寸")
    result = await answer(ann.chat, asked, result=True)
    papers = await press(ann, result, "Print sheet")
    await press(ann, papers, "10×15 cm JPG")
    sent = await ann.chat.wait_for(lambda one: one.has_file, after=result)
    sheet = await picture(house, sent)
    assert sorted(sheet.size) == [1181, 1772]
    assert tuple(map(round, sheet.info["dpi"])) == (300, 300)
    assert "100 %" in sent.words
    papers = await press(ann, result, "Print sheet")
    await press(ann, papers, "A4 PDF")
    pdf = await ann.chat.wait_for(lambda one: one.has_file, after=sent)
    assert (await house.tg.download(pdf)).startswith(b"%PDF")
    assert "9 credits" in (await answer(ann.chat, await ann.send(text="/quota"))).words


async def test_a_copy_too_large_for_the_paper_is_said(house: House) -> None:
    """Where not one copy fits the paper, a toast says so."""
    ann = await house.person()
    buffer = io.BytesIO()
    Image.open(io.BytesIO(PORTRAIT)).save(buffer, "JPEG")
    asked = await ann.send_photo(photo=buffer.getvalue(), caption="/idphoto 150x150mm")
    result = await answer(ann.chat, asked, result=True)
    papers = await press(ann, result, "Print sheet")
    events = len(await ann.chat.events())
    await ann.press(papers, "10×15 cm JPG")
    told = await ann.chat.wait_for_event("answer", after=events)
    assert "fits on that paper" in told["text"]
