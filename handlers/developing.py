"""The buttons under photos and results: what shall be done, with which size, background or subject, or once more."""

import time
from collections.abc import Mapping

from handlers import keyboards, sizes
from handlers.context import Context
from handlers.incoming import accept
from handlers.keyboards import PHOTO
from handlers.pressed import Act, Pressed, StaleError
from handlers.wishes import Wish
from imaging.errors import ArgumentError
from imaging.operations import OPERATIONS, Cutout, IdPhoto, Operation, load
from jobs.job import Job, Picture, State

PROVIDER_KEEPS = 50 * 60.0
"""Seconds a provider surely still has a result: it is valid for an hour (API_CONTRACT)."""

_SOURCE = 64  # the width of jobs.source


async def do(pressed: Pressed, context: Context) -> str | None:
    """Develop the picture the buttons stand under."""
    picture, asked = pressed.picture()
    name, words = pressed.press.first, pressed.press.second
    if name not in OPERATIONS:
        raise StaleError
    try:
        operation = OPERATIONS[name].parse(words)
    except ArgumentError:
        raise StaleError from None
    # Keyed by the button, not by the press: a nervous second tap makes no second job.
    source = f"c{pressed.message.message_id}:{name}:{words}"[:_SOURCE]
    shown = None if asked is pressed.message else asked
    if not await accept(context, asked, pressed.person, source, picture, Wish(operation), shown):
        return None
    await pressed.answer(context, context.say("press_taken"))
    if asked is not pressed.message:
        await context.quietly(pressed.message.delete())
    return None


async def back(pressed: Pressed, context: Context) -> None:
    """Show the first screen again."""
    if pressed.press.first == PHOTO:
        picture, _ = pressed.picture()
        markup = keyboards.menu(context.say, pressed.press.user_id, picture)
        await pressed.show(context, keyboards.menu_words(context.say, picture), markup)
    else:
        job = await pressed.job(context)
        as_photo = bool(pressed.message.photo)
        await pressed.show(context, "", keyboards.under_result(context.say, job, as_photo=as_photo))


async def idphoto(pressed: Pressed, context: Context) -> None:
    """Ask for the size of an ID photo."""
    press, chosen = pressed.press, context.preferences.id_size
    markup = keyboards.idphoto_sizes(context.say, context.known_language, press.user_id, press.first, chosen)
    await pressed.show(context, context.say("which_size"), markup)


async def page(pressed: Pressed, context: Context) -> None:
    """Show a page of all sizes."""
    press, number, language = pressed.press, pressed.page(pressed.press.second), context.known_language
    markup = keyboards.idphoto_page(context.say, language, press.user_id, press.first, number)
    listed = sizes.listing(sizes.of_page(number, language), language, context.say)
    await pressed.show(context, f"{context.say('which_size')}\n\n{listed}", markup)


async def size(pressed: Pressed, context: Context) -> None:
    """Ask for the background of an ID photo."""
    press, preset = pressed.press, pressed.preset(pressed.press.second)
    words = context.say(
        "which_background", name=sizes.title(preset, context.known_language), size=sizes.measures(preset)
    )
    markup = keyboards.idphoto_backgrounds(context.say, press.user_id, press.first, preset.id)
    await pressed.show(context, words, markup)


async def cutout(pressed: Pressed, context: Context) -> None:
    """Ask what to cut out."""
    press = pressed.press
    markup = keyboards.cutout_subjects(context.say, press.user_id, press.first)
    await pressed.show(context, context.say("which_subject"), markup)


async def subject(pressed: Pressed, context: Context) -> None:
    """Ask what to lay behind the cutout."""
    press = pressed.press
    markup = keyboards.cutout_backgrounds(context.say, press.user_id, press.first, press.second)
    await pressed.show(context, context.say("which_behind"), markup)


async def colours(pressed: Pressed, context: Context) -> None:
    """Ask for another background."""
    job = await pressed.job(context)
    await pressed.show(context, "", keyboards.other_background(context.say, pressed.press.user_id, job))


async def redo(pressed: Pressed, context: Context) -> str | None:
    """Make a result anew from its original, on another background."""
    row = await pressed.row(context)
    operation = _on_background(load(row["operation"], row["options"]), pressed.press.second)
    source = f"c{pressed.message.message_id}:redo:{pressed.press.second}"[:_SOURCE]
    if not await accept(context, pressed.message, pressed.person, source, Picture.of(row), Wish(operation)):
        return None
    markup = keyboards.under_result(context.say, Job.of(row), as_photo=bool(pressed.message.photo))
    await pressed.show(context, "", markup)
    return context.say("press_taken")


def _on_background(operation: Operation, value: str) -> Operation:
    """Give the operation with this background (RRGGBB, or `png` for none). Raises StaleError."""
    if value not in sizes.BACKGROUNDS or not isinstance(operation, (IdPhoto, Cutout)):
        raise StaleError
    changed: dict[str, object] = {"format": "jpg", "background": value}
    if value == "png":
        changed = {"format": "png", "background": None}
        changed |= {"max_bytes": None} if isinstance(operation, IdPhoto) else {}
    return type(operation).model_validate(operation.model_dump() | changed)


async def again(pressed: Pressed, context: Context) -> str | None:
    """Develop the original once more, as it was; each press asks anew."""
    row = await pressed.row(context)
    operation = load(row["operation"], row["options"])
    source = f"c{pressed.query.id}"
    wish = Wish(operation, fresh=True)
    taken = await accept(context, pressed.message, pressed.person, source, Picture.of(row), wish)
    return context.say("press_taken") if taken else None


async def file(pressed: Pressed, context: Context) -> str | None:
    """Send a result that came as a photo as a file: whole, while the provider still has it, else as Telegram does."""
    row = await pressed.row(context)
    recent = time.time() - row["updated_at"] < PROVIDER_KEEPS
    source = f"c{pressed.message.message_id}:file"
    if row["state"] == State.DELIVERED and row["task_id"] and recent:
        await context.house.desk.repeat(row, source, send_as="file")
    else:
        picture, message = pressed.picture(result=True)
        sent = await context.bot.get_file(picture.file_id)
        data = bytes(await sent.download_as_bytearray())
        await context.send_file(message, data, f"photo-{row['operation']}.jpg", context.say("file_from_photo"))
    return context.say("press_taken")


ACTS: Mapping[str, Act] = {
    "do": do,
    "back": back,
    "idphoto": idphoto,
    "page": page,
    "size": size,
    "cutout": cutout,
    "subject": subject,
    "colours": colours,
    "redo": redo,
    "again": again,
    "file": file,
}
