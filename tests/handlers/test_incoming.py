"""How a picture and a command find each other, and who may ask for what."""

from typing import Any

import pytest
from telegram import Message

from handlers.incoming import picture_in
from handlers.presses import Press
from storage import chats
from storage.ledger import Terms, quota
from tests.handlers.conftest import WORDS, Stage
from tests.handlers.telegram_wire import ANNA, BORIS, GROUP, PHOTO, PRIVATE, message, press, receive


def said(key: str) -> str:
    return WORDS.say("en", key)


@pytest.mark.parametrize("command", ["colorize", "enhance", "idphoto", "cutout"])
async def test_caption(stage: Stage, command: str) -> None:
    """A command in a photo's caption makes a job of the largest size, which answers the photo's message."""
    sent = message(PRIVATE, ANNA, f"/{command}", **PHOTO)
    assert await stage.say(sent) == ""
    (job,) = await stage.jobs()
    assert (job["operation"], job["file_id"], job["reply_to"]) == (command, "large", sent["message_id"])
    assert stage.dispatched.job_ids == [job["id"]]


async def test_reply(stage: Stage) -> None:
    """A command that answers somebody else's photo works on it; the result answers the command."""
    photo = message(GROUP, BORIS, **PHOTO)
    sent = message(GROUP, ANNA, "/idphoto 300x400 FFF", reply_to_message=photo)
    assert await stage.say(sent) == ""
    (job,) = await stage.jobs()
    assert (job["user_id"], job["reply_to"], job["file_id"]) == (7, sent["message_id"], "large")


async def test_quoted_from_elsewhere(stage: Stage) -> None:
    """A command that quotes a photo from another chat works on that photo."""
    origin = {"type": "hidden_user", "sender_user_name": "B", "date": 1}
    await stage.say(message(PRIVATE, ANNA, "/cutout", external_reply={"origin": origin, **PHOTO}))
    assert [job["file_id"] for job in await stage.jobs()] == ["large"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"document": {"mime_type": "image/png"}}, "document"),
        ({"document": {"mime_type": "application/octet-stream", "file_name": "IMG_1.HEIC"}}, "document"),
        ({"document": {"file_name": "old.TIFF"}}, "document"),
        ({"document": {"mime_type": "text/plain", "file_name": "list.txt"}}, None),
        ({"document": {"mime_type": "video/mp4"}, "animation": {"width": 1, "height": 1, "duration": 1}}, None),
        ({"sticker": {"is_animated": False, "is_video": False}}, "sticker"),
        ({"sticker": {"is_animated": True, "is_video": False}}, None),
        ({"sticker": {"is_animated": False, "is_video": True}}, None),
        ({}, None),
    ],
)
def test_what_is_a_picture(content: dict[str, dict[str, Any]], kind: str | None) -> None:
    """Image files by media type or name and still stickers are pictures; what moves or is text is none."""
    ids = {"file_id": "f", "file_unique_id": "u", "width": 512, "height": 512, "type": "regular"}
    filled: dict[str, Any] = {name: ids | value for name, value in content.items()}
    found = picture_in(Message.de_json(message(PRIVATE, ANNA, **filled), None))
    assert (found.kind if found else None) == kind


async def test_asked_first(stage: Stage) -> None:
    """A command alone asks for the photo; the next one is taken with the command's words, the one after is not."""
    assert "300x400" in await stage.say(message(PRIVATE, ANNA, "/idphoto 300x400"))
    assert "reply_markup" not in stage.wire.sent()[-1]
    assert await stage.say(message(PRIVATE, ANNA, **PHOTO)) == ""
    (job,) = await stage.jobs()
    assert '"width":300' in job["options"]
    assert (await stage.say(message(PRIVATE, ANNA, **PHOTO))).startswith(said("menu"))


async def test_asked_in_a_group(stage: Stage) -> None:
    """In a group the question is for one person: only their photo is taken, others' are left alone."""
    await stage.say(message(GROUP, ANNA, "/colorize@DarkroomBot"))
    force = stage.wire.sent()[-1]["reply_markup"]
    assert force["force_reply"]
    assert force["selective"]
    assert await stage.say(message(GROUP, BORIS, **PHOTO)) == ""
    assert await stage.jobs() == []
    await stage.say(message(GROUP, ANNA, **PHOTO))
    assert [job["user_id"] for job in await stage.jobs()] == [7]


async def test_question_answered_with_something_else(stage: Stage) -> None:
    """Answering the group question with words is told what to send; other talk, also to the bot, is left alone."""
    await stage.say(message(GROUP, ANNA, "/colorize"))
    async with stage.db.read() as conn:
        expected = await chats.expected(conn, -100, 7)
    assert expected is not None
    question = message(GROUP, {"id": 99, "is_bot": True, "first_name": "D"}, "?") | {"message_id": expected.prompt_id}
    assert await stage.say(message(GROUP, ANNA, "which?", reply_to_message=question)) == said("send_a_photo")
    other = question | {"message_id": 3}
    assert await stage.say(message(GROUP, ANNA, "thanks", reply_to_message=other)) == ""
    assert await stage.say(message(GROUP, BORIS, "me?", reply_to_message=question)) == ""
    assert await stage.say(message(GROUP, ANNA, "hello all")) == ""


async def test_cancel(stage: Stage) -> None:
    """/cancel forgets the question, and says so only if there was one."""
    assert await stage.say(message(PRIVATE, ANNA, "/cancel")) == said("nothing_to_cancel")
    await stage.say(message(PRIVATE, ANNA, "/colorize"))
    assert await stage.say(message(PRIVATE, ANNA, "/cancel")) == said("cancelled")
    assert (await stage.say(message(PRIVATE, ANNA, **PHOTO))).startswith(said("menu"))


async def test_misunderstood(stage: Stage) -> None:
    """Words nobody understands are quoted with an example, and nothing is done."""
    answer = await stage.say(message(PRIVATE, ANNA, "/enhance loudly", **PHOTO))
    assert "loudly" in answer
    assert "/enhance" in answer
    assert await stage.jobs() == []


async def test_the_same_update_twice(stage: Stage) -> None:
    """A repeated update makes one job and says nothing more."""
    sent = message(PRIVATE, ANNA, "/colorize", **PHOTO)
    await stage.say(sent)
    assert await stage.say(sent) == ""
    assert len(await stage.jobs()) == 1


@pytest.mark.parametrize("text", ["/colorize", "hello", ""])
async def test_video(stage: Stage, text: str) -> None:
    """A video, with or without a command, is answered with what to send instead."""
    video = {"file_id": "v", "file_unique_id": "v", "width": 1, "height": 1, "duration": 1}
    assert await stage.say(message(PRIVATE, ANNA, text, video=video)) == said("send_a_photo")
    assert await stage.jobs() == []


async def test_ignored(stage: Stage) -> None:
    """Edits, channel posts, other bots' commands and group photos nobody asked for are passed over in silence."""
    post = message({"id": -5, "type": "channel", "title": "News"}, None, "/colorize", **PHOTO)
    await receive(stage.app, channel_post=post)
    await receive(stage.app, edited_message=message(PRIVATE, ANNA, "/colorize", **PHOTO) | {"edit_date": 2})
    for chat in (PRIVATE, GROUP):
        await receive(stage.app, message=message(chat, ANNA, "/colorize@otherbot", **PHOTO))
        await receive(stage.app, message=message(chat, ANNA, "/colorize@otherbot"))
    await receive(stage.app, message=message(GROUP, ANNA, "/dance"))
    await receive(stage.app, message=message(GROUP, ANNA, **PHOTO))
    assert stage.wire.sent() == []
    assert await stage.jobs() == []


async def test_anonymous_admin(stage: Stage) -> None:
    """An admin who writes as the group is served like anyone else, and shares no limit with those of other groups."""
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    await stage.say(message(GROUP, anonymous, "/colorize", sender_chat=GROUP, **PHOTO))
    await stage.say(message(GROUP, None, "/colorize", sender_chat={"id": -5, "type": "channel"}, **PHOTO))
    other = GROUP | {"id": -200}
    await stage.say(message(other, anonymous, "/colorize", sender_chat=other, **PHOTO))
    assert [job["user_id"] for job in await stage.jobs()] == [GROUP["id"], -5, -200]


async def test_topic(stage: Stage) -> None:
    """In a forum both the answer and the job stay in the topic; elsewhere the thread number is left out."""
    await stage.say(message(GROUP, ANNA, "/colorize", message_thread_id=12, is_topic_message=True))
    await stage.say(message(GROUP, ANNA, "/colorize", message_thread_id=12, is_topic_message=True, **PHOTO))
    await stage.say(message(GROUP, ANNA, "/colorize", message_thread_id=3))
    assert [sent.get("message_thread_id") for sent in stage.wire.sent()] == [12, None]
    assert [job["thread_id"] for job in await stage.jobs()] == [12]
    reply = stage.wire.sent()[0]["reply_parameters"]
    assert reply["allow_sending_without_reply"]


async def test_menu(stage: Stage) -> None:
    """A photo alone gets a button for each operation; a press makes the job, tidies the menu away and is answered."""
    photo = message(PRIVATE, ANNA, **PHOTO)
    assert (await stage.say(photo)).startswith(said("menu"))
    rows = stage.wire.sent()[-1]["reply_markup"]["inline_keyboard"]
    data = [button["callback_data"] for row in rows for button in row]
    assert [Press.read(item) for item in data] == [
        Press("do", 7, ("colorize", "")),
        Press("do", 7, ("enhance", "")),
        Press("idphoto", 7, ("0",)),
        Press("cutout", 7, ("0",)),
    ]
    await receive(stage.app, callback_query=press(ANNA, data[1], message(PRIVATE, None, reply_to_message=photo)))
    (job,) = await stage.jobs()
    assert (job["operation"], job["reply_to"], job["user_id"]) == ("enhance", photo["message_id"], 7)
    called = [name for name, _ in stage.wire.calls if name != "setMessageReaction"]
    assert called[-2:] == ["answerCallbackQuery", "deleteMessage"]


async def test_nervous_taps(stage: Stage) -> None:
    """Tapping a button twice makes one job, tapping another one makes another."""
    buttons = message(PRIVATE, None, reply_to_message=message(PRIVATE, ANNA, **PHOTO))
    for operation in ("colorize", "colorize", "enhance"):
        await receive(stage.app, callback_query=press(ANNA, Press("do", 7, (operation, "")).pack(), buttons))
    assert [job["operation"] for job in await stage.jobs()] == ["colorize", "enhance"]


async def test_somebody_elses_press(stage: Stage) -> None:
    """Only who sent the photo may press; anyone else gets a short note."""
    buttons = message(GROUP, None, reply_to_message=message(GROUP, ANNA, **PHOTO))
    await receive(stage.app, callback_query=press(BORIS, Press("do", 7, ("colorize", "")).pack(), buttons))
    assert stage.wire.calls[-1][1]["text"] == said("press_not_yours")
    assert await stage.jobs() == []


@pytest.mark.parametrize("case", ["inaccessible", "photo deleted", "other version", "nonsense"])
async def test_press_too_old(stage: Stage, case: str) -> None:
    """A press whose photo cannot be found any more, or that nobody understands, is answered all the same."""
    photo = message(PRIVATE, ANNA, **PHOTO)
    answered: dict[str, Any] = {} if case == "photo deleted" else {"reply_to_message": photo}
    buttons = message(PRIVATE, None, **answered)
    data = {"other version": "1:colorize:7", "nonsense": "2:dance:7"}.get(case, Press("do", 7, ("colorize", "")).pack())
    await receive(stage.app, callback_query=press(ANNA, data, None if case == "inaccessible" else buttons))
    assert stage.wire.calls[-1][1]["text"] == said("press_too_old")
    assert await stage.jobs() == []


async def test_answering_too_late(stage: Stage) -> None:
    """When Telegram no longer takes the answer to a press, the job is made all the same and nobody is bothered."""
    stage.wire.failing = {
        "answerCallbackQuery": (400, "Bad Request: query is too old"),
        "deleteMessage": (400, "Bad Request: message can't be deleted"),
    }
    photo = message(PRIVATE, ANNA, **PHOTO)
    buttons = message(PRIVATE, None, reply_to_message=photo)
    await receive(stage.app, callback_query=press(ANNA, Press("do", 7, ("colorize", "")).pack(), buttons))
    assert len(await stage.jobs()) == 1
    assert stage.wire.sent() == []


async def test_press_without_credits(stage: Stage) -> None:
    """A press that is refused is explained in a message, and the menu stays."""
    for _ in range(10):
        await stage.say(message(PRIVATE, ANNA, "/colorize", **PHOTO))
    buttons = message(PRIVATE, None, reply_to_message=message(PRIVATE, ANNA, **PHOTO))
    await receive(stage.app, callback_query=press(ANNA, Press("do", 7, ("colorize", "")).pack(), buttons))
    assert "used up" in stage.wire.texts()[-1]
    assert [name for name, _ in stage.wire.calls[-2:]] == ["sendMessage", "answerCallbackQuery"]


async def test_supergroup(stage: Stage) -> None:
    """A group that becomes a supergroup keeps its credits, whichever of the two messages comes first, and both come."""
    old = {"id": -4, "type": "group", "title": "Family"}
    for first, last in ((0, 1), (1, 0)):
        await stage.say(message(old, ANNA, "/colorize", **PHOTO))
        await stage.say(message(old, {**ANNA, "id": 1}, "/setquota here 50"))
        moves = [
            message(old, ANNA, migrate_to_chat_id=-100),
            message(GROUP, ANNA, migrate_from_chat_id=-4),
        ]
        for number in (first, last):
            assert await stage.say(moves[number]) == ""
        async with stage.db.read() as conn:
            assert (await quota(conn, -100, Terms(10))).allowance == 50
            assert await chats.get(conn, -4) is None
