"""Privacy mode: which of the things people do in a group reach the bot."""

import pytest
from telegram import Bot

from sandbox import Chat, Person, Telegram
from tests.sandbox.conftest import bot_of
from tests.sandbox.pictures import picture

SEEN = [
    ("/start@darkroom_bot", True),
    ("/START@Darkroom_Bot now", True),
    ("/start@other_bot", False),
    ("/start", True),
    ("hello", False),
    ("hello /start@darkroom_bot", False),
    ("@darkroom_bot hello", False),
]


@pytest.fixture
async def family(tg: Telegram, bot: Bot, ann: Person) -> Chat:
    chat = await tg.group("Family", [ann, await tg.person("Bob")])
    await forget(bot)
    return chat


async def forget(bot: Bot) -> None:
    waiting = await bot.get_updates()
    if waiting:
        await bot.get_updates(offset=waiting[-1].update_id + 1)


async def words(bot: Bot) -> list[str | None]:
    messages = [update.effective_message for update in await bot.get_updates()]
    return [message.text or message.caption for message in messages if message]


@pytest.mark.parametrize(("text", "seen"), SEEN)
async def test_with_privacy_mode_on_texts(bot: Bot, ann: Person, family: Chat, text: str, *, seen: bool) -> None:
    """Only commands to this bot, or plain ones, reach it."""
    await ann.send(family, text=text)
    assert await words(bot) == ([text] if seen else [])


@pytest.mark.parametrize(("text", "seen"), SEEN)
async def test_with_privacy_mode_on_captions(bot: Bot, ann: Person, family: Chat, text: str, *, seen: bool) -> None:
    """A caption counts as a text does."""
    await ann.send_photo(family, photo=picture(80, 60), caption=text)
    assert await words(bot) == ([text] if seen else [])


@pytest.mark.parametrize("text", [text for text, _ in SEEN])
async def test_with_privacy_mode_off(tg: Telegram, bot: Bot, ann: Person, family: Chat, text: str) -> None:
    """Without privacy mode everything reaches it, and getMe says so."""
    await tg.add_bot(tg.token, "darkroom_bot", privacy=False)
    assert (await bot.get_me()).can_read_all_group_messages
    await ann.send(family, text=text)
    assert await words(bot) == [text]


async def test_an_admin_sees_everything(tg: Telegram, bot: Bot, ann: Person, family: Chat) -> None:
    """A bot that is an admin sees all, whatever its privacy mode; it is told that it became one."""
    await ann.set_member(family, tg.bot["id"], "administrator")
    promoted = (await bot.get_updates())[-1].my_chat_member
    assert promoted is not None
    assert (promoted.old_chat_member.status, promoted.new_chat_member.status) == ("member", "administrator")
    await forget(bot)
    await ann.send(family, text="hello")
    assert await words(bot) == ["hello"]


async def test_a_reply_to_the_bot_is_seen_and_others_are_not(bot: Bot, ann: Person, family: Chat) -> None:
    """A reply reaches the bot when it answers the bot's own message, with that message in it."""
    said = await bot.send_message(family.id, "now send the photo")
    question = await family.wait_for()
    mine = await ann.send(family, text="what?")
    await ann.send(family, text="never mind", reply_to=mine)
    await ann.send_photo(family, photo=picture(80, 60), reply_to=question)
    updates = await bot.get_updates()
    assert len(updates) == 1
    assert updates[0].message is not None
    assert updates[0].message.reply_to_message is not None
    assert updates[0].message.reply_to_message.message_id == said.message_id
    assert updates[0].message.photo


async def test_a_plain_command_is_for_the_last_bot_that_spoke(tg: Telegram, bot: Bot, ann: Person) -> None:
    """Among several bots a plain command reaches the one that spoke last."""
    other = await tg.add_bot("42:other", "other_bot")
    chat = await tg.group("Two bots", [ann], bots=[tg.bot["id"], other["id"]])
    await forget(bot)
    await ann.send(chat, text="/before")
    async with bot_of(tg, "42:other") as second:
        await second.send_message(chat.id, "I am here")
        await ann.send(chat, text="/after")
        assert await words(bot) == ["/before"]
        assert await words(second) == ["/before", "/after"]
        await bot.send_message(chat.id, "me too")
        await ann.send(chat, text="/again")
        assert await words(bot) == ["/before", "/again"]
        assert await words(second) == ["/before", "/after"]  # neither hears the other


async def test_edits_follow_the_same_rule(bot: Bot, ann: Person, family: Chat) -> None:
    """An edited command arrives as edited_message; an edited remark does not."""
    remark = await ann.send(family, text="hello")
    await ann.edit(remark, "hello there", family)
    command = await ann.send(family, text="/quota")
    await ann.edit(command, "/id", family)
    updates = await bot.get_updates()
    assert [bool(update.edited_message) for update in updates] == [False, True]
    assert updates[1].edited_message is not None
    assert updates[1].edited_message.text == "/id"
    assert updates[1].edited_message.edit_date is not None


async def test_service_messages_are_seen(tg: Telegram, bot: Bot, ann: Person, family: Chat) -> None:
    """Joining and leaving reach the bot in privacy mode too."""
    eve = await tg.person("Eve")
    await ann.set_member(family, eve.id, "member")
    await eve.set_member(family, eve.id, "left")
    updates = await bot.get_updates()
    assert [bool(update.message and update.message.new_chat_members) for update in updates] == [True, False]
    assert updates[1].message is not None
    assert updates[1].message.left_chat_member is not None
