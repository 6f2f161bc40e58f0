"""The same photo once more: free when nothing has changed, anew when that is asked for."""

import pytest

from sandbox.client import Chat
from storage import ledger
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg

pytestmark = pytest.mark.usefixtures("brisk")
PHOTO = jpeg("coffee", longest=80)


async def used(house: House, chat: Chat) -> int:
    async with house.database() as db, db.read() as conn:
        return (await ledger.quota(conn, chat.id, ledger.Terms(10))).used


async def test_the_same_photo_twice_is_free(house: House) -> None:
    """Ann sends a photo again: the same file comes at once, marked as free; `fresh` makes and charges a new one."""
    ann = await house.person()
    first = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
    done = await house.result(ann.chat, first)
    second = await ann.send_again(first, caption="/enhance 1x")
    repeated = await answer(ann.chat, second, result=True)
    assert repeated.file["file_unique_id"] == done.file["file_unique_id"]
    assert "cost nothing" in repeated.words
    assert await used(house, ann.chat) == 1
    third = await ann.send_again(first, caption="/enhance 1 fresh")
    renewed = await answer(ann.chat, third, result=True)
    assert renewed.file["file_unique_id"] != done.file["file_unique_id"]
    assert "cost nothing" not in renewed.words
    assert await used(house, ann.chat) == 2


async def test_fresh_before_the_photo(house: House) -> None:
    """`fresh` typed with the command alone is remembered until the photo comes."""
    ann = await house.person()
    first = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
    await house.result(ann.chat, first)
    await answer(ann.chat, await ann.send(text="/enhance fresh 1"))
    second = await ann.send_again(first)
    assert "cost nothing" not in (await answer(ann.chat, second, result=True)).words
    assert await used(house, ann.chat) == 2


async def test_another_wish_is_another_result(house: House) -> None:
    """The same photo with another operation, or other words, is work and costs."""
    ann, ben = await house.person("Ann"), await house.person("Ben")
    first = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
    await house.result(ann.chat, first)
    other = await ann.send_again(first, caption="/enhance 2x")
    assert "cost nothing" not in (await answer(ann.chat, other, result=True)).words
    assert await used(house, ann.chat) == 2
    his = await ben.send_again(first, ben.chat, caption="/enhance 1", source=ann.chat)
    assert "cost nothing" in (await answer(ben.chat, his, result=True)).words
    assert await used(house, ben.chat) == 0


async def test_a_result_that_telegram_lost_is_made_anew(house: House) -> None:
    """When Telegram does not know the earlier file any more, the photo is developed again, at no cost."""
    ann = await house.person()
    first = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
    await house.result(ann.chat, first)
    await house.tg.fault("error", "sendDocument", status=400, description="Bad Request: wrong file identifier")
    second = await ann.send_again(first, caption="/enhance 1")
    assert (await answer(ann.chat, second, result=True)).has_file
    assert await used(house, ann.chat) == 1


async def test_again_repeats_the_last_and_jobs_lists_it(house: House) -> None:
    """/again does the last photo once more, as it was asked for; /jobs tells of both, in the person's language."""
    ann = await house.person(language="es")
    assert "nada que repetir" in (await answer(ann.chat, await ann.send(text="/again"))).words
    assert "ninguna foto" in (await answer(ann.chat, await ann.send(text="/jobs"))).words
    first = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
    done = await house.result(ann.chat, first)
    again = await house.result(ann.chat, await ann.send(text="/again"))
    assert again.file["file_name"] == done.file["file_name"]
    assert again.file["file_unique_id"] != done.file["file_unique_id"]
    assert await used(house, ann.chat) == 2
    listed = (await answer(ann.chat, await ann.send(text="/jobs"))).words.splitlines()
    assert len(listed) == 3
    assert all("Mejorar: lista" in line for line in listed[1:]), listed
