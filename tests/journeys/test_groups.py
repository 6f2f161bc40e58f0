"""Groups: the bot greets, answers where it was asked, moves along, and leaves where it is not wanted."""

from tests.journeys.conftest import HELD, House, answer
from tests.journeys.pictures import jpeg

PHOTO = jpeg("coffee", longest=120)


async def test_a_welcome_with_what_to_write(house: House) -> None:
    """Added to a group, the bot says once what to write there, in the language of whoever added it."""
    ann = await house.person("Аня", language="ru")
    group = await house.tg.group("Семья", [ann])
    welcome = await group.wait_for()
    assert "/colorize@darkroom_bot" in welcome.words
    assert welcome.words.startswith("Всем привет")


async def test_a_note_where_it_may_not_send_photos(house: House) -> None:
    """In a group that lets nobody send photos, the welcome says who can change that."""
    ann = await house.person()
    group = await house.tg.group("Texts only", [ann], bots=[])
    await group.permit(can_send_photos=False)
    await ann.set_member(group, house.tg.bot["id"], "member")
    assert "may not send photos" in (await group.wait_for()).words
    await ann.set_member(group, house.tg.bot["id"], "administrator")  # and as an admin it may
    asked = await ann.send(group, text="/id@darkroom_bot")
    await answer(group, asked)
    assert len([one for one in await group.messages() if one.by_bot]) == 2


async def test_the_right_topic_also_when_the_question_is_gone(house: House) -> None:
    """A result stays in the topic of its question, even if that was deleted while the photo was developed."""
    ann = await house.person()
    forum = await house.tg.group("Forum", [ann], forum=True)
    topic = await forum.topic(ann, "Old photos")
    await house.tg.fault("delay", "getFile", delay=HELD)
    asked = await ann.send_photo(forum, photo=PHOTO, caption="/enhance@darkroom_bot 1", thread=topic)
    await house.tg.calls("getFile", least=1, begun=True)
    await ann.delete(asked, forum)
    await house.tg.no_faults()
    result = await forum.wait_for(lambda one: one.by_bot and one.has_file)
    assert result["message_thread_id"] == topic


async def test_anonymous_admins_and_channels_are_served(house: House) -> None:
    """Who writes as the group or as a channel gets results like anyone else, and an anonymous admin the settings."""
    ann = await house.person()
    group = await house.tg.group("Family", [ann])
    channel = {"id": -1001234, "type": "channel", "title": "News"}
    for voice in ({"anonymous": True}, {"sender_chat": channel}):
        asked = await ann.send_photo(group, photo=PHOTO, caption="/enhance@darkroom_bot 1", **voice)
        assert (await answer(group, asked, result=True)).has_file
    asked = await ann.send(group, text="/settings@darkroom_bot", anonymous=True)
    assert (await answer(group, asked)).buttons
    asked = await ann.send(group, text="/settings@darkroom_bot", sender_chat=channel)
    assert not (await answer(group, asked)).buttons


async def test_a_supergroup_keeps_credits_settings_and_running_jobs(house: House) -> None:
    """A group that becomes a supergroup gets the result of its running job there, and keeps quota and language."""
    ann = await house.person()
    group = await house.tg.group("Family", [ann], supergroup=False)
    settings = await answer(group, await ann.send(group, text="/settings@darkroom_bot"))
    await ann.press(settings, "Language", group)
    settings = await group.wait_for(lambda one: "Español" in one.buttons)
    await ann.press(settings, "Español", group)
    await group.wait_for(lambda one: "Idioma: Español" in one.words)
    await house.tg.fault("delay", "getFile", delay=HELD)
    await ann.send_photo(group, photo=PHOTO, caption="/enhance@darkroom_bot 1")
    await house.tg.calls("getFile", least=1, begun=True)
    moved = await group.migrate(ann)
    await house.tg.no_faults()
    result = await moved.wait_for(lambda one: one.by_bot and one.has_file)
    assert result.words.startswith("Ahora más nítida")
    quota = await answer(moved, await ann.send(moved, text="/quota@darkroom_bot"))
    assert "9" in quota.words.splitlines()[0]
    assert "créditos" in quota.words


async def test_goodbye_where_an_admin_blocked_the_group(closed_house: House) -> None:
    """Where an admin of the bot has blocked the group it says goodbye and leaves, once somebody speaks to it."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(admin_ids=(ada.id,)):
        await ada.chat.wait_for(after=await ada.start())
        ben = await closed_house.person("Ben")
        group = await closed_house.tg.group("Noise", [ben])
        await group.wait_for()
        await answer(ada.chat, await ada.send(text=f"/block {group.id}"))
        await ben.send(group, text="/help@darkroom_bot")
        await group.wait_for(lambda one: "left_chat_member" in one)
        assert any("Goodbye" in one.words for one in await group.messages())
