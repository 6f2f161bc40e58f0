"""The print sheet: copies of an ID photo on paper, drawn from the result under which the button stands."""

import asyncio
from collections.abc import Mapping
from typing import Literal

from handlers import keyboards
from handlers.context import Context
from handlers.pressed import Act, Pressed, StaleError
from imaging.codec import decode
from imaging.errors import ArgumentError, PictureError
from imaging.operations import IdPhoto
from imaging.sheet import PAPERS, make_sheet

_turn = asyncio.Semaphore(1)  # a file is up to 20 MB, and a sheet of A4 26 MB of pixels
_KINDS: Mapping[str, Literal["jpg", "pdf"]] = {"JPG": "jpg", "PDF": "pdf"}


async def sheet(pressed: Pressed, context: Context) -> None:
    """Ask for the paper."""
    job = await pressed.job(context)
    await pressed.show(context, "", keyboards.papers(context.say, pressed.press.user_id, job))


async def print_(pressed: Pressed, context: Context) -> str | None:
    """Draw the sheet and send it as a file; this costs nothing."""
    job = await pressed.job(context)
    paper, kind = pressed.press.second, _KINDS.get(pressed.press.third)
    if paper not in PAPERS or kind is None or not isinstance(job.operation, IdPhoto):
        raise StaleError
    picture, message = pressed.picture(result=True)
    try:
        async with _turn:
            file = await context.bot.get_file(picture.file_id)
            data = bytes(await file.download_as_bytearray())
            drawn = await asyncio.to_thread(_draw, data, job.operation.dpi, paper, kind)
    except (ArgumentError, PictureError) as error:
        return context.say(f"error_{error.code}")
    name = f"print-{paper}.{kind}"
    await context.send_file(message, drawn, name, context.say("sheet_done", paper=context.say(f"paper_{paper}")))
    markup = keyboards.under_result(context.say, job, as_photo=bool(message.photo))
    await pressed.show(context, "", markup)
    return None


def _draw(data: bytes, dpi: int, paper: str, kind: Literal["jpg", "pdf"]) -> bytes:
    return make_sheet(decode(data), dpi, paper, kind)


ACTS: Mapping[str, Act] = {"sheet": sheet, "print": print_}
