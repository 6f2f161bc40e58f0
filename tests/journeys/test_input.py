"""What people send besides photos: stickers, links, and things that are no pictures; and files as a form wants them."""

import io

import pytest
from PIL import Image

from tests.journeys import vendor
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg, photo

pytestmark = pytest.mark.usefixtures("brisk")
ONE_SENTENCE = "Please send me a photo"


async def test_a_link_goes_to_the_provider(closed_house: House) -> None:
    """A link behind a command is fetched by the provider, not by the bot; so is one sent when a photo was asked for."""
    link = "https://example.org/old%20photo.jpg?a=1&b=2"
    async with vendor.running() as slow, closed_house.bot(gptge_url=slow.url):
        ann = await closed_house.person()
        asked = await ann.send(text=f"/colorize {link}")
        assert (await answer(ann.chat, asked, result=True)).has_file
        await answer(ann.chat, await ann.send(text="/colorize png"))
        later = await ann.send(text=link)
        assert (await answer(ann.chat, later, result=True)).has_file
        assert slow.links == [link, link]


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1/a.jpg",
        "http://[::1]/a.jpg",
        "http://10.0.0.8:8080/a.jpg",
        "http://2130706433/a.jpg",
        "https://ann:secret@example.org/a.jpg",
        "https:///a.jpg",
        "http://[broken/a.jpg",
    ],
)
async def test_links_that_nobody_opens_for_a_stranger(house: House, link: str) -> None:
    """A link into a private network, with a password, or to nowhere is refused with what to send instead."""
    ann = await house.person()
    told = await answer(ann.chat, await ann.send(text=f"/colorize {link}"))
    assert "open that link" in told.words


async def test_a_name_that_leads_inside(house: House) -> None:
    """A name that resolves to a private address is refused by the engine, which looks where the connection goes."""
    ann = await house.person()
    told = await answer(ann.chat, await ann.send(text="/colorize http://localhost:1/a.jpg"))
    assert "does not lead to a picture" in told.words


async def test_a_sticker(house: House) -> None:
    """A still sticker is a picture like any other."""
    ann = await house.person()
    buffer = io.BytesIO()
    photo("coffee").resize((96, 96)).save(buffer, "WEBP")
    sticker = await ann.send_sticker(sticker=buffer.getvalue())
    asked = await ann.send(text="/enhance 1", reply_to=sticker)
    assert (await answer(ann.chat, asked, result=True)).has_file


async def test_anything_else_gets_one_sentence(house: House) -> None:
    """Chatter and files that are no pictures get one sentence that says what to send."""
    ann = await house.person()
    for sent in (
        await ann.send(text="make me pretty"),
        await ann.send_file(file=b"minutes of the meeting", name="minutes.txt"),
        await ann.send(text="see https://example.org"),
    ):
        assert (await answer(ann.chat, sent)).words.startswith(ONE_SENTENCE)


async def test_an_id_photo_for_a_form(house: House) -> None:
    """A form wants 600 dpi and a small file: the photo has both; what cannot be so small says so."""
    ann = await house.person()
    asked = await ann.send_photo(photo=jpeg("astronaut", longest=480), caption="/idphoto 35x45mm@600 <40kb")
    done = await answer(ann.chat, asked, result=True)
    data = await house.tg.download(done)
    picture = Image.open(io.BytesIO(data))
    assert picture.size == (827, 1063)
    assert picture.info["dpi"] == (600, 600)
    assert len(data) <= 40 * 1024
    assert "small as you asked" not in done.words
    tiny = await ann.send_photo(photo=jpeg("astronaut", longest=481), caption="/idphoto 1000x1200 <10kb")
    assert "small as you asked" in (await answer(ann.chat, tiny, result=True)).words
