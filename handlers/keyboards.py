"""The buttons under a photo and under a result, each with what leads on from there."""

from collections.abc import Callable

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from handlers import sizes
from handlers.presses import button
from handlers.sizes import Row, Say, in_rows
from handlers.words import Words
from imaging.operations import Colorize, Cutout, Enhance, IdPhoto
from imaging.presets import PRESETS
from imaging.sheet import PAPERS
from jobs.job import Job, Picture

PHOTO = "0"
"""Stands where buttons under a result have their job's number: these stand under a photo."""

_SUBJECTS = ("auto", "person", "object", "stamp")
_MASK = 3  # Cutout.output


def menu_words(say: Say, picture: Picture) -> str:
    """Ask what to do with a photo, and say why it cannot be made as large as one might wish."""
    side = max(picture.width or 0, picture.height or 0)
    if not side or Enhance.factors(side)[:1] == (4,):
        return say("menu")
    return "\n".join((say("menu"), say("menu_no_4x" if Enhance.factors(side) else "menu_no_factor", side=side)))


def menu(say: Say, user_id: int, picture: Picture) -> InlineKeyboardMarkup:
    """Offer everything that can be done with a photo; only the factors that this one allows."""
    side = max(picture.width or 0, picture.height or 0)
    factors = Enhance.factors(side) if side else ()
    larger = [
        button(say("button_enhance_by", factor=factor), "do", user_id, "enhance", f"{factor}x") for factor in factors
    ]
    return InlineKeyboardMarkup(
        [
            [button(say("button_colorize"), "do", user_id, "colorize", "")],
            larger or [button(say("button_enhance"), "do", user_id, "enhance", "")],
            [_opening(say, "idphoto", user_id, PHOTO), _opening(say, "cutout", user_id, PHOTO)],
        ]
    )


def _opening(say: Say, operation: str, user_id: int, origin: object) -> InlineKeyboardButton:
    return button(f"{say(f'button_{operation}')}…", operation, user_id, origin)


def _back(say: Say, user_id: int, origin: str) -> Row:
    """Lead back to the menu under a photo, or to the buttons under a result."""
    return [button(say("button_back"), "back", user_id, origin)]


def idphoto_sizes(say: Say, language: str, user_id: int, origin: str, chosen: str | None) -> InlineKeyboardMarkup:
    """Offer the sizes most asked for in a language."""
    rows = sizes.grid(sizes.usual(language, chosen), language, user_id, "size", origin)
    rows.append([button(say("button_all_sizes"), "page", user_id, origin, 0)])
    return InlineKeyboardMarkup([*rows, _back(say, user_id, origin)])


def idphoto_page(say: Say, language: str, user_id: int, origin: str, page: int) -> InlineKeyboardMarkup:
    """Offer all sizes, a page of them."""
    rows = sizes.grid(sizes.of_page(page, language), language, user_id, "size", origin)
    turning = sizes.turning(page, user_id, "page", origin)
    return InlineKeyboardMarkup([*rows, turning, [button(say("button_back"), "idphoto", user_id, origin)]])


def idphoto_backgrounds(say: Say, user_id: int, origin: str, preset_id: str) -> InlineKeyboardMarkup:
    """Offer the backgrounds for an ID photo, the one its document asks for marked."""

    def make(words: str, value: str) -> InlineKeyboardButton:
        return button(words, "do", user_id, "idphoto", f"{preset_id} {value}")

    rows = sizes.backgrounds(say, PRESETS[preset_id].background, make)
    return InlineKeyboardMarkup([*rows, [button(say("button_back"), "idphoto", user_id, origin)]])


def cutout_subjects(say: Say, user_id: int, origin: str) -> InlineKeyboardMarkup:
    """Offer what to cut out."""
    rows = in_rows([button(say(f"button_{one}"), "subject", user_id, origin, one) for one in _SUBJECTS], 2)
    return InlineKeyboardMarkup([*rows, _back(say, user_id, origin)])


def cutout_backgrounds(say: Say, user_id: int, origin: str, subject: str) -> InlineKeyboardMarkup:
    """Offer what to lay behind the cutout, or its mask."""

    def make(words: str, value: str) -> InlineKeyboardButton:
        return button(words, "do", user_id, "cutout", f"{subject} {value}")

    rows = sizes.backgrounds(say, "png", make)
    rows.append([make(say("button_mask"), "mask"), make(say("button_both"), "both")])
    return InlineKeyboardMarkup([*rows, [button(say("button_back"), "cutout", user_id, origin)]])


def other_background(say: Say, user_id: int, job: Job) -> InlineKeyboardMarkup:
    """Offer to make a result anew on another background."""
    asked = job.operation.background if isinstance(job.operation, (IdPhoto, Cutout)) else None

    def make(words: str, value: str) -> InlineKeyboardButton:
        return button(words, "redo", user_id, job.id, value)

    return InlineKeyboardMarkup([*sizes.backgrounds(say, asked or "png", make), _back(say, user_id, str(job.id))])


def papers(say: Say, user_id: int, job: Job) -> InlineKeyboardMarkup:
    """Offer paper sizes for a print sheet, each as a picture or as a PDF."""
    rows = [
        [button(f"{say(f'paper_{paper}')} {kind}", "print", user_id, job.id, paper, kind) for kind in ("JPG", "PDF")]
        for paper in PAPERS
    ]
    return InlineKeyboardMarkup([*rows, _back(say, user_id, str(job.id))])


def under_result(say: Say, job: Job, *, as_photo: bool) -> InlineKeyboardMarkup:
    """Offer what sensibly comes next: colour, then size, then cutting out; or the same once more."""
    user, operation = job.user_id, job.operation
    steps: Row = []
    if isinstance(operation, Colorize):
        steps.append(button(say("button_enhance"), "do", user, "enhance", ""))
    if isinstance(operation, (Colorize, Enhance)):
        steps.append(_opening(say, "cutout", user, job.id))
    if isinstance(operation, Enhance):
        steps.append(_opening(say, "idphoto", user, job.id))
    if isinstance(operation, IdPhoto):
        steps.append(button(say("button_sheet"), "sheet", user, job.id))
    if isinstance(operation, IdPhoto) or (isinstance(operation, Cutout) and operation.output != _MASK):
        steps.append(button(say("button_background"), "colours", user, job.id))
    same = [button(say("button_file"), "file", user, job.id)] if as_photo else []
    same.append(button(say("button_again"), "again", user, job.id))
    return InlineKeyboardMarkup([steps, same] if steps else [same])


def result_buttons(words: Words) -> Callable[..., InlineKeyboardMarkup]:
    """Give what jobs.delivery.Delivery asks for the buttons of a result."""

    def buttons(job: Job, *, as_photo: bool) -> InlineKeyboardMarkup:
        return under_result(lambda key, **params: words.say(job.language, key, **params), job, as_photo=as_photo)

    return buttons
