"""Groups: members and admins, topics, channels and anonymous admins, and a group that becomes a supergroup."""

import pytest
from telegram import Bot, ChatMemberAdministrator, ChatMemberOwner
from telegram.error import BadRequest, ChatMigrated, Forbidden

from sandbox import ControlError, Person, Telegram
from tests.sandbox.pictures import picture


async def test_ids_are_of_real_sizes(tg: Telegram, bot: Bot, ann: Person) -> None:
    """People need 64 bits, groups are negative, supergroups start with -100."""
    assert ann.id > 2**32
    assert (await tg.group("Basic", [ann], supergroup=False)).id < -(2**31)
    supergroup = await tg.group("Super", [ann], username="supers")
    assert str(supergroup.id).startswith("-100")
    assert (await bot.send_message("@supers", "by name")).chat.id == supergroup.id


async def test_members_are_told_apart(tg: Telegram, bot: Bot, ann: Person) -> None:
    """getChatMember, getChatAdministrators and the count say who is what."""
    bob, eve = await tg.person("Bob"), await tg.person("Eve")
    chat = await tg.group("Family", [ann, bob])
    assert isinstance(await bot.get_chat_member(chat.id, ann.id), ChatMemberOwner)
    assert (await bot.get_chat_member(chat.id, bob.id)).status == "member"
    assert (await bot.get_chat_member(chat.id, eve.id)).status == "left"
    await ann.set_member(chat, bob.id, "administrator")
    assert isinstance(await bot.get_chat_member(chat.id, bob.id), ChatMemberAdministrator)
    assert {member.user.id for member in await bot.get_chat_administrators(chat.id)} == {ann.id, bob.id}
    assert await bot.get_chat_member_count(chat.id) == 3
    assert (await bot.get_chat(chat.id)).title == "Family"
    assert (await bot.get_chat(ann.id)).username == "ann_b"
    assert (await bot.get_chat_member(ann.id, ann.id)).status == "member"
    with pytest.raises(BadRequest, match="no administrators in the private chat"):
        await bot.get_chat_administrators(ann.id)


async def test_a_bot_admin_hears_of_others(tg: Telegram, bot: Bot, ann: Person) -> None:
    """chat_member comes to admins that asked for it."""
    chat = await tg.group("Family", [ann])
    bob = await tg.person("Bob")
    await bot.get_updates(allowed_updates=["chat_member"])
    await ann.set_member(chat, tg.bot["id"], "administrator")
    await ann.set_member(chat, bob.id, "member")
    update = (await bot.get_updates())[-1].chat_member
    assert update is not None
    assert (update.old_chat_member.status, update.new_chat_member.status) == ("left", "member")


async def test_leaving_and_being_removed(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A bot that left or was removed cannot write, and is told of the removal."""
    chat = await tg.group("Family", [ann])
    assert await bot.leave_chat(chat.id)
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await bot.send_message(chat.id, "hi")
    await ann.set_member(chat, tg.bot["id"], "member")
    assert (await bot.send_message(chat.id, "hi")).message_id
    await ann.set_member(chat, tg.bot["id"], "kicked")
    removed = (await bot.get_updates())[-1].my_chat_member
    assert removed is not None
    assert removed.new_chat_member.status == "kicked"
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        await bot.send_message(chat.id, "hi")
    with pytest.raises(BadRequest, match="private chats"):
        await bot.leave_chat(ann.id)


async def test_a_group_becomes_a_supergroup(tg: Telegram, bot: Bot, ann: Person) -> None:
    """Both service messages arrive; a send to the old id raises ChatMigrated with the new one."""
    old = await tg.group("Family", [ann], supergroup=False)
    new = await old.migrate(ann)
    to, since = (update.message for update in (await bot.get_updates())[-2:])
    assert to is not None
    assert since is not None
    assert (to.chat.id, to.migrate_to_chat_id) == (old.id, new.id)
    assert (since.chat.id, since.migrate_from_chat_id) == (new.id, old.id)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(old.id, "hi")
    assert moved.value.new_chat_id == new.id
    assert (await bot.send_message(new.id, "hi")).message_id


async def test_topics(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A message in a topic names it, and an answer stands there only if it names it too."""
    chat = await tg.group("Forum", [ann], forum=True)
    thread = await chat.topic(ann, "Old photos")
    await ann.send_photo(chat, photo=picture(), caption="/colorize", thread=thread)
    asked = (await bot.get_updates())[-1].message
    assert asked is not None
    assert asked.is_topic_message
    assert asked.message_thread_id == thread
    assert asked.reply_to_message is not None
    assert asked.reply_to_message.forum_topic_created is not None
    inside = await bot.send_message(chat.id, "done", message_thread_id=thread)
    outside = await bot.send_message(chat.id, "done", reply_to_message_id=asked.message_id)
    assert (inside.message_thread_id, outside.message_thread_id) == (thread, None)
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(chat.id, "done", message_thread_id=999)


async def test_anonymous_admins_and_channels(tg: Telegram, bot: Bot, ann: Person) -> None:
    """They arrive as sender_chat, from the accounts Telegram uses for them."""
    chat = await tg.group("Family", [ann])
    await ann.send(chat, text="/quota", anonymous=True)
    channel = {"id": -1001999, "type": "channel", "title": "News"}
    await ann.send(chat, text="/id", sender_chat=channel)
    anonymous, posted = (update.message for update in (await bot.get_updates())[-2:])
    assert anonymous is not None
    assert posted is not None
    assert anonymous.sender_chat == anonymous.chat
    assert anonymous.from_user is not None
    assert anonymous.from_user.username == "GroupAnonymousBot"
    assert posted.sender_chat is not None
    assert posted.sender_chat.title == "News"


async def test_only_members_speak(tg: Telegram, ann: Person) -> None:
    """Somebody outside a group cannot write into it; mistakes in tests are told in words."""
    chat = await tg.group("Family", [ann])
    eve = await tg.person("Eve")
    with pytest.raises(ControlError, match="not in the chat"):
        await eve.send(chat, text="hi")
    with pytest.raises(ControlError, match="no such chat"):
        await tg.do("send", person=ann.id, chat="nowhere", text="hi")
    with pytest.raises(ControlError, match="KeyError"):
        await tg.do("send", person=1, chat=chat.key, text="hi")
