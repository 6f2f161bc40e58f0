"""Edits, deletions and buttons, and what goes wrong on request."""

import asyncio
import contextlib

import pytest
from telegram import (
    Bot,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    ReplyKeyboardRemove,
)
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from sandbox import ControlError, Person, Telegram, WaitedInVain
from tests.sandbox.pictures import picture

MENU = InlineKeyboardMarkup.from_column(
    [InlineKeyboardButton("Colorize", callback_data="c:1"), InlineKeyboardButton("Site", url="https://example.org")]
)


async def test_a_text_can_become_the_picture(tg: Telegram, bot: Bot, ann: Person) -> None:
    """editMessageText, then editMessageMedia: one message, and people see it change."""
    sent = await bot.send_message(ann.id, "working", reply_markup=MENU)
    await bot.edit_message_text("50 %", ann.id, sent.message_id)
    seen = await ann.chat.wait_for(lambda message: message.words == "50 %")
    assert seen.buttons == []
    data = picture()
    media = InputMediaDocument(data, filename="done.jpg", caption="<i>done</i>", parse_mode="HTML")
    await bot.edit_message_media(media, ann.id, sent.message_id)
    done = await ann.chat.wait_for(lambda message: message.has_file)
    assert (done.id, done.words, await tg.download(done)) == (sent.message_id, "done", data)
    edited = await bot.edit_message_caption(ann.id, sent.message_id, caption="kept")
    assert not isinstance(edited, bool)
    assert edited.caption == "kept"
    marked = await bot.edit_message_reply_markup(ann.id, sent.message_id, reply_markup=MENU)
    assert not isinstance(marked, bool)
    assert marked.document is not None
    assert (await ann.chat.messages(after=sent.message_id - 1))[0].buttons == ["Colorize", "Site"]


async def test_edits_that_are_refused(bot: Bot, ann: Person) -> None:
    """Nothing new, nothing there, somebody else's, the wrong kind."""
    sent = await bot.send_message(ann.id, "a")
    photo = await bot.send_photo(ann.id, picture())
    hers = await ann.send(text="mine")
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("a", ann.id, sent.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("b", ann.id, 999)
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("b", ann.id, hers.id)
    with pytest.raises(BadRequest, match="no text in the message"):
        await bot.edit_message_text("b", ann.id, photo.message_id)
    with pytest.raises(BadRequest, match="no caption in the message"):
        await bot.edit_message_caption(ann.id, sent.message_id, caption="b")
    with pytest.raises(BadRequest, match="Message identifier is not specified"):
        await bot.edit_message_text("b", inline_message_id="x")
    album = await bot.send_media_group(ann.id, [InputMediaPhoto(picture()), InputMediaPhoto(picture())])
    with pytest.raises(BadRequest, match="other media type"):
        await bot.edit_message_media(InputMediaDocument(picture()), ann.id, album[0].message_id)


async def test_deleting(tg: Telegram, bot: Bot, ann: Person) -> None:
    """In private a bot deletes everything, in groups its own, as an admin all."""
    hers, mine = await ann.send(text="a"), await bot.send_message(ann.id, "b")
    assert await bot.delete_message(ann.id, hers.id)
    assert await bot.delete_messages(ann.id, [hers.id, mine.message_id])
    assert [message.words for message in await ann.chat.messages()] == ["/start"]
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(ann.id, hers.id)
    group = await tg.group("Family", [ann])
    hers = await ann.send(group, text="a")
    with pytest.raises(BadRequest, match="Message can't be deleted"):
        await bot.delete_message(group.id, hers.id)
    await ann.set_member(group, tg.bot["id"], "administrator")
    assert await bot.delete_message(group.id, hers.id)
    gone = await ann.send(text="oops")
    await ann.delete(gone)
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(ann.id, "what?", reply_to_message_id=gone.id)


async def test_a_pressed_button_is_answered_once(bot: Bot, ann: Person) -> None:
    """A press arrives with its data and message; the answer is seen; a second answer is too late."""
    await bot.send_message(ann.id, "menu", reply_markup=MENU)
    menu = await ann.chat.wait_for()
    query_id = await ann.press(menu, "Colorize")
    query = (await bot.get_updates())[-1].callback_query
    assert query is not None
    assert query.message is not None
    assert (query.id, query.data, query.message.message_id) == (query_id, "c:1", menu.id)
    with pytest.raises(BadRequest, match="Message_too_long"):
        await query.get_bot().answer_callback_query(query.id, "a" * 201)
    await ann.press(menu, "c:1", inaccessible=True)
    second = (await bot.get_updates())[-1].callback_query
    assert second is not None
    assert second.message is not None
    assert not second.message.is_accessible
    await second.answer("on it", show_alert=True)
    event = await ann.chat.wait_for_event("answer")
    assert (event["query"], event["text"], event["alert"]) == (second.id, "on it", True)
    with pytest.raises(BadRequest, match="Query is too old"):
        await second.answer()
    with pytest.raises(ControlError, match="no button 'Site'"):
        await ann.press(menu, "Site")


async def test_keyboards_that_are_not_inline(bot: Bot, ann: Person) -> None:
    """A ForceReply is seen by people and not part of the message bots get."""
    await bot.send_message(ann.id, "send the photo", reply_markup=ForceReply(selective=True))
    asked = await ann.chat.wait_for(lambda message: message.forces_reply is not None)
    assert asked.forces_reply == {"force_reply": True, "selective": True}
    await bot.send_message(ann.id, "done", reply_markup=ReplyKeyboardRemove())
    await ann.send_photo(photo=picture(80, 60), reply_to=asked)
    message = (await bot.get_updates())[-1].message
    assert message is not None
    assert message.reply_to_message is not None
    assert message.reply_to_message.reply_markup is None


async def test_faults_befall_the_next_calls(tg: Telegram, bot: Bot, ann: Person) -> None:
    """Errors, 429, garbage and resets come as often as asked, to the method and chat asked."""
    await tg.fault("error", "sendMessage", status=502, description="Bad Gateway", chat_id=ann.id)
    await bot.send_chat_action(ann.id, "typing")
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await bot.send_message(ann.id, "1")
    await tg.fault("error", "sendMessage", status=429, retry_after=7)
    with pytest.raises(RetryAfter, match="Retry in 0:00:07"):
        await bot.send_message(ann.id, "2")
    await tg.fault("reset", times=2)
    for _ in range(2):
        with pytest.raises(NetworkError):
            await bot.send_message(ann.id, "3")
    await tg.fault("garbage", "getMe")
    with pytest.raises(TelegramError):
        await bot.get_me()
    await tg.fault("delay", "sendMessage", delay=0.01)
    assert (await bot.send_message(ann.id, "4")).text == "4"
    await tg.fault("reset", times=99)
    await tg.no_faults()
    assert (await bot.send_message(ann.id, "5")).text == "5"
    assert [message.words for message in await ann.chat.messages() if message.by_bot] == ["4", "5"]
    assert [call["status"] for call in await tg.calls("sendMessage")] == [502, 429, 499, 499, 200, 200]


async def test_a_lost_answer_took_effect(tg: Telegram, bot: Bot, ann: Person) -> None:
    """The bot hears nothing, and the message is there all the same."""
    await tg.fault("lost", "sendPhoto")
    with pytest.raises(NetworkError):
        await bot.send_photo(ann.id, picture())
    assert (await ann.chat.wait_for()).has_file
    assert (await tg.counts())["messages"][ann.chat.key] == 2
    assert (await tg.counts())["calls"]["sendPhoto"] == 1


async def test_downloads_can_fail_too(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A download meets the faults of the method "download"."""
    sent = await bot.send_photo(ann.id, picture())
    file = await sent.photo[-1].get_file()
    await tg.fault("error", "download", status=503)
    await tg.fault("reset", "download", times=2)  # aiohttp itself tries a GET once more
    for _ in range(2):
        with pytest.raises(NetworkError):
            await file.download_as_bytearray()
    assert await file.download_as_bytearray()


async def test_waiting_in_vain_says_what_there_was(tg: Telegram, ann: Person) -> None:
    """A wait that ends without result names what was said instead."""
    with pytest.raises(WaitedInVain, match="/start"):
        await ann.chat.wait_for(timeout=0)
    with pytest.raises(WaitedInVain, match="no reaction"):
        await ann.chat.wait_for_event("reaction", timeout=0)
    assert await tg.calls("sendPhoto", least=1, timeout=0) == []


async def test_waiting_ends_when_the_sandbox_stops(tg: Telegram, bot: Bot, ann: Person) -> None:
    """Nothing that waits keeps the sandbox from stopping."""
    before = len(await tg.calls("getUpdates", begun=True))
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    waiting = asyncio.create_task(ann.chat.wait_for(timeout=30))
    await tg.calls("getUpdates", least=before + 1, begun=True)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    del poll  # it ends with the sandbox
