"""The first minute: hello by picture, links that open a step, and what the bot's profile says."""

import pytest

from handlers.words import Words
from sandbox.client import Message, Person
from tests.journeys.conftest import House, answer


async def hello_of(house: House, person: Person) -> list[Message]:
    """Press Start and give what comes."""
    hello = await person.start()
    shown = await person.chat.wait_for_all(lambda one: "photo" in one and one.by_bot, count=4, after=hello)
    await house.settled()
    return shown


async def test_hello_by_picture_uploaded_once(house: House) -> None:
    """Start shows each operation before and after; the second person gets the same files by their ids."""
    shown, again = [await hello_of(house, await house.tg.person(name)) for name in ("Ann", "Ben")]
    assert shown[0].words.startswith("Hello!")
    assert len({one["media_group_id"] for one in shown}) == 1
    assert [one.file["file_unique_id"] for one in again] == [one.file["file_unique_id"] for one in shown]
    assert {"attach" in str(call["params"]) for call in (await house.tg.calls("sendMediaGroup"))[1:]} == {False}


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("idphoto_us", "600x600"),
        ("idphoto_us-blue", "600x600"),
        ("enhance_2x", "make clearer"),
        ("presets", "United States · passport"),
        ("settings", "Settings of this chat"),
        ("help", "Write a command under a photo"),
        ("nonsense", "Hello!"),
    ],
)
async def test_links_open_the_right_step(house: House, link: str, words: str) -> None:
    """A link with ?start=… opens the step it names, and says hello for one that names nothing."""
    ann = await house.tg.person("Ann")
    reply = await answer(ann.chat, await ann.send(text=f"/start {link}"))
    assert words in reply.words


async def test_the_profile_speaks_every_language(house: House) -> None:
    """Description and short description are set in each language, within Telegram's limits."""
    for method, what in (("setMyDescription", "description"), ("setMyShortDescription", "short_description")):
        calls = await house.tg.calls(method, least=5)
        said = {call["params"].get("language_code", ""): call["params"][what] for call in calls}
        words = Words()
        wanted = {"" if language == "en" else language: words.say(language, what) for language in words.languages}
        assert said == wanted
