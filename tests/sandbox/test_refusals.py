"""What the server refuses: unknown methods and parameters, wrong types, and everything over a limit."""

import io
import itertools
import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from PIL import Image
from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter

from sandbox import Chat, Person, Telegram
from sandbox.derive import derive
from sandbox.parameters import METHODS, REACTIONS, TYPES
from sandbox.registry import IMPLEMENTED
from tests.sandbox.conftest import PATIENCE
from tests.sandbox.pictures import picture


async def post(tg: Telegram, method: str, body: Any, token: str | None = None) -> tuple[int, str]:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        answer = await client.post(f"{tg.base_url}{token or tg.token}/{method}", json=body)
    return answer.status_code, answer.json().get("description", "")


@pytest.mark.parametrize(
    ("method", "body", "status", "words"),
    [
        ("getNothing", {}, 404, "Not Found: method not found"),
        ("sendDice", {"chat_id": 1}, 501, "the sandbox knows sendDice but does not implement it"),
        ("sendMessage", {"chat_id": 1, "text": "a", "colour": 1}, 400, 'unknown parameter "colour" of sendMessage'),
        ("sendMessage", {"text": "a"}, 400, "chat_id is empty"),
        ("sendMessage", {"chat_id": 1}, 400, "message text is empty"),
        ("sendPhoto", {"chat_id": 1}, 400, "there is no photo in the request"),
        ("getFile", {}, 400, 'parameter "file_id" is required'),
        ("sendMessage", {"chat_id": 1, "text": 5}, 400, "it must be String"),
        ("sendMessage", {"chat_id": [], "text": "a"}, 400, "it must be Integer or String"),
        ("getUpdates", {"offset": "soon"}, 400, "it must be Integer"),
        ("getUpdates", {"offset": True}, 400, "it must be Integer"),
        ("getUpdates", {"allowed_updates": "message"}, 400, "it must be Array of String"),
        ("sendMessage", {"chat_id": 1, "text": "a", "protect_content": "maybe"}, 400, "it must be Boolean"),
        ("sendMessage", {"chat_id": 1, "text": "a", "reply_parameters": {"id": 3}}, 400, "it must be ReplyParameters"),
        ("sendMessage", {"chat_id": 1, "text": "a", "reply_markup": '{"inline_keyboard": [[{}]]}'}, 400, "it must be"),
        ("getMyCommands", {"scope": {"type": "chat"}}, 400, "it must be BotCommandScope"),
        ("sendMessage", [], 400, "can't parse the JSON body"),
    ],
)
async def test_what_the_reference_does_not_know(tg: Telegram, method: str, body: Any, status: int, words: str) -> None:
    """Unknown methods are 404, unimplemented ones 501, and parameters must be as the reference has them."""
    answered, description = await post(tg, method, body)
    assert answered == status
    assert words in description


async def test_a_wrong_token_is_refused(tg: Telegram) -> None:
    """Another token is unauthorized, for methods as for files."""
    assert await post(tg, "getMe", {}, "1:wrong") == (401, "Unauthorized")
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        assert (await client.get(f"{tg.base_file_url}1:wrong/photos/file_1.jpg")).status_code == 404


async def test_every_way_of_calling(tg: Telegram) -> None:
    """Method names are read in any case; parameters may stand in the query or in a form."""
    async with httpx.AsyncClient(base_url=f"{tg.base_url}{tg.token}/", timeout=PATIENCE) as client:
        assert (await client.get("GETME")).json()["result"]["username"] == "darkroom_bot"
        assert (await client.get("getupdates?timeout=0&limit=1")).json()["result"] == []
        form = await client.post("getUpdates", data={"allowed_updates": '["message"]', "limit": "5"})
        assert form.json()["ok"]


def test_the_table_covers_the_reference_and_what_is_implemented() -> None:
    """All 180 methods and the types they reach are in the table; what is implemented is among them."""
    assert len(METHODS) == 180
    assert len(IMPLEMENTED) > 30
    assert IMPLEMENTED.keys() <= METHODS.keys()
    assert TYPES["InputMediaPhoto"]["type"] == "String=photo!"  # type: ignore[index]  # it has fields
    assert "👀" in REACTIONS


def test_the_table_is_derived_from_the_reference() -> None:
    """derive() keeps names, types, what is required, constants, and only the types that are reached."""
    fields = [
        {"name": "media", "types": ["Array of InputMedia"], "required": True, "description": "What to send"},
        {"name": "note", "types": ["String"], "required": False, "description": "Words"},
    ]
    photo = {"name": "type", "types": ["String"], "required": True, "description": "Type of the media, must be photo"}
    emoji = [{}, {"description": 'One of "A", "B".'}]
    types = {"InputMedia": {"subtypes": ["P"]}, "P": {"fields": [photo]}, "ReactionTypeEmoji": {"fields": emoji}}
    assert derive({"version": "1", "methods": {"sendIt": {"fields": fields}}, "types": types}) == {
        "version": "1",
        "reactions": ["A", "B"],
        "methods": {"sendIt": {"media": "Array of InputMedia!", "note": "String"}},
        "types": {"InputMedia": "P", "P": {"type": "String=photo!"}},
    }


async def test_lengths_of_words(bot: Bot, ann: Person) -> None:
    """4096 characters fit a text and 1024 a caption; more do not, nor does nothing."""
    assert (await bot.send_message(ann.id, "a" * 4096)).message_id
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(ann.id, "a" * 4097)
    with pytest.raises(BadRequest, match="Message text is empty"):
        await bot.send_message(ann.id, "  \n ")
    photo = await bot.send_photo(ann.id, picture(), caption="a" * 1024)
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.send_photo(ann.id, photo.photo[0].file_id, caption="a" * 1025)


async def test_limits_of_buttons(bot: Bot, ann: Person) -> None:
    """callback_data holds 64 bytes, which are not 64 letters; an inline button must do something."""
    fits = InlineKeyboardMarkup.from_button(InlineKeyboardButton("a", callback_data="é" * 32))
    assert (await bot.send_message(ann.id, "a", reply_markup=fits)).message_id
    long = InlineKeyboardButton("a", callback_data="é" * 32 + "!")
    with pytest.raises(BadRequest, match="Button_data_invalid"):
        await bot.send_message(ann.id, "a", reply_markup=InlineKeyboardMarkup.from_button(long))
    for empty in (InlineKeyboardButton("a"), InlineKeyboardButton("", url="https://example.org")):
        with pytest.raises(BadRequest, match="button"):
            await bot.send_message(ann.id, "a", reply_markup=InlineKeyboardMarkup.from_button(empty))


def flat_png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


async def test_limits_of_photos(bot: Bot, ann: Person) -> None:
    """10 MB, 10,000 px of both sides together, 20 to 1, and it must be a picture."""
    for data, words in (
        (flat_png(9000, 1001), "Photo_invalid_dimensions"),
        (flat_png(2100, 100), "Photo_invalid_dimensions"),
        (b"not a picture", "Image_process_failed"),
        (picture()[:2000], "Image_process_failed"),
        (picture() + b"\0" * 10 * 2**20, "is too big for a photo; the maximum size is 10485760 bytes"),
        (b"", "empty"),
    ):
        with pytest.raises(BadRequest, match=words):
            await bot.send_photo(ann.id, data)
    assert (await bot.send_photo(ann.id, flat_png(9000, 1000))).message_id


async def test_limits_of_files(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A bot downloads up to 20 MB and uploads up to 50 MB."""
    sent = await ann.send_file(file=b"\0" * (20 * 2**20 + 1), name="big.bin")
    update = (await bot.get_updates())[-1]
    assert update.message is not None
    assert update.message.document is not None
    with pytest.raises(BadRequest, match="File is too big"):
        await update.message.document.get_file()
    assert len(await tg.download(sent)) == 20 * 2**20 + 1
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        await bot.send_document(ann.id, b"\0" * (50 * 2**20 + 1), filename="huge.bin")


async def test_flood_limits_are_obeyed_when_asked_for(
    tg: Telegram, bot: Bot, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past a limit sends are refused with the seconds to wait; without limits nothing is."""
    clock = itertools.count(step=0.1)  # no machine is so slow that a second passes between two sends
    monkeypatch.setattr("sandbox.faults.time", SimpleNamespace(monotonic=lambda: next(clock)))
    await tg.flood(per_chat_second=1)
    await bot.send_message(ann.id, "1")
    with pytest.raises(RetryAfter) as refused:
        await bot.send_message(ann.id, "2")
    assert refused.value._retry_after.total_seconds() == 1
    await tg.flood(per_group_minute=2)
    group: Chat = await tg.group("Loud", [ann])
    await bot.send_message(group.id, "1")
    await bot.send_message(group.id, "2")
    with pytest.raises(RetryAfter):
        await bot.send_message(group.id, "3")
    await tg.flood()
    await bot.send_message(group.id, "3")


async def test_commands_are_kept_by_scope_and_language(tg: Telegram, bot: Bot, ann: Person) -> None:
    """SetMyCommands keeps lists apart by scope and language; a chat the bot does not know is refused."""
    await bot.set_my_commands([BotCommand("help", "Help")])
    await bot.set_my_commands([BotCommand("help", "Помощь")], language_code="ru")
    await bot.set_my_commands([("grant", "Give")], scope={"type": "chat", "chat_id": ann.id})  # type: ignore[arg-type]  # PTB passes a dict on
    assert [command.description for command in await bot.get_my_commands()] == ["Help"]
    assert [command.description for command in await bot.get_my_commands(language_code="ru")] == ["Помощь"]
    assert len(await tg.commands()) == 3
    await bot.delete_my_commands(language_code="ru")
    assert await bot.get_my_commands(language_code="ru") == ()
    stranger = await tg.person("Eve")
    with pytest.raises(Forbidden, match="initiate"):
        await bot.set_my_commands([], scope={"type": "chat", "chat_id": stranger.id})  # type: ignore[arg-type]  # PTB passes a dict on
    for commands, words in (
        ([("Help", "x")], "Bot_command_invalid"),
        ([("help", "")], "Bot_command_description_invalid"),
        ([(f"c{number}", "x") for number in range(101)], "Bot_commands_too_much"),
    ):
        with pytest.raises(BadRequest, match=words):
            await bot.set_my_commands(commands)
    with pytest.raises(BadRequest, match="Invalid language code"):
        await bot.set_my_commands([], language_code="xx-yy")


async def test_the_profile_is_kept_by_language(bot: Bot) -> None:
    """Name and descriptions are set and read by language, falling back to the general one."""
    await bot.set_my_description("Develops photos")
    await bot.set_my_short_description("фото", language_code="ru")
    assert (await bot.get_my_description(language_code="fa")).description == "Develops photos"
    assert (await bot.get_my_short_description(language_code="ru")).short_description == "фото"
    assert (await bot.get_my_name()).name == "Darkroom"
    await bot.set_my_name("Dunkelkammer", language_code="de")
    assert (await bot.get_my_name(language_code="de")).name == "Dunkelkammer"
    with pytest.raises(BadRequest, match="Short description is too long"):
        await bot.set_my_short_description("a" * 121)


async def test_attached_files_must_be_referred_to(tg: Telegram, ann: Person) -> None:
    """A file that no parameter names, and a name without a file, are refused."""
    async with httpx.AsyncClient(base_url=f"{tg.base_url}{tg.token}/", timeout=PATIENCE) as client:
        media = json.dumps([{"type": "photo", "media": "attach://a"}, {"type": "photo", "media": "attach://b"}])
        form = {"chat_id": str(ann.id), "media": media}
        missing = await client.post("sendMediaGroup", data=form, files={"a": ("a.jpg", picture())})
        assert "can't find the attached file" in missing.json()["description"]
        files = {name: (f"{name}.jpg", picture()) for name in "abc"}
        spare = await client.post("sendMediaGroup", data=form, files=files)
        assert 'the file "c"' in spare.json()["description"]
