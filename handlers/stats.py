"""/stats: what happened lately, as a picture that can be read on a phone, with the figures under it."""

import asyncio
import io
import time
from typing import TYPE_CHECKING

from telegram import Message

from handlers.context import Context, topic_of
from handlers.guards import for_admins
from imaging.operations import OPERATIONS
from storage import overview
from storage.overview import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPANS = {"24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0}
OUTCOMES = {"delivered": "#2a9d8f", "failed": "#e76f51", "cancelled": "#9aa0a6"}
CREDITS = {"settle": "spent", "release": "given back", "grant": "granted", "purchase": "bought", "refund": "refunded"}


@for_admins
async def stats(message: Message, context: Context) -> None:
    """/stats [24h|7d|30d]: photos by operation and outcome, seconds, credits, active chats."""
    span = context.typed.strip().lower() or "24h"
    if span not in SPANS:
        await context.reply(message, context.say("stats_usage"))
        return
    async with context.house.db.read() as conn:
        figures = await overview.figures(conn, time.time() - SPANS[span])
    caption = _caption(context, span, figures)
    try:
        picture = await asyncio.to_thread(draw, f"Last {span}", figures)
    except ImportError:
        await context.reply(message, caption + "\n\n" + context.say("stats_install"))
        return
    await context.bot.send_photo(message.chat_id, picture, caption, message_thread_id=topic_of(message))


def _caption(context: Context, span: str, figures: Figures) -> str:
    by_state = {state: sum(n for (_, s), n in figures.photos.items() if s == state) for state in OUTCOMES}
    p50, p95 = (figures.share(part) for part in (0.5, 0.95))
    return context.say(
        "stats_caption",
        span=span,
        n=sum(figures.photos.values()),
        **by_state,
        p50="-" if p50 is None else f"{p50:.1f} s",
        p95="-" if p95 is None else f"{p95:.1f} s",
        spent=figures.credits.get("settle", 0),
        granted=figures.credits.get("grant", 0),
        bought=figures.credits.get("purchase", 0),
        chats=figures.active_chats,
    )


def draw(title: str, figures: Figures) -> bytes:
    """Draw the figures as a PNG of 1024x1280 pixels, the largest that Telegram leaves as it is.

    Takes a second of CPU: call it in a thread. Raises ImportError without matplotlib, which is loaded here because few
    ever ask for it.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  see above

    figure = Figure(figsize=(7.2, 9.0), dpi=1280 / 9, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.15, h_pad=0.15)
    figure.suptitle(title, fontsize=20, fontweight="bold")
    photos, seconds, credits = figure.subplots(3, 1, height_ratios=(3, 2, 2))
    _draw_photos(photos, figures)
    _draw_bars(seconds, "Seconds per photo", _seconds(figures), "#457b9d", "{:.1f}")
    spent = [(words, float(figures.credits.get(kind, 0))) for kind, words in CREDITS.items()]
    _draw_bars(credits, f"Credits · {figures.active_chats} active chats", spent, "#f4a261", "{:.0f}")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _seconds(figures: Figures) -> list[tuple[str, float]]:
    return [(f"p{int(part * 100)}", figures.share(part) or 0.0) for part in (0.5, 0.95)]


def _draw_photos(axes: "Axes", figures: Figures) -> None:
    """Stack the outcomes of each operation side by side, one bar an operation."""
    names = list(OPERATIONS)[::-1]
    left = [0] * len(names)
    for state, colour in OUTCOMES.items():
        counts = [figures.photos.get((name, state), 0) for name in names]
        axes.barh(names, counts, left=left, color=colour, label=f"{state} {sum(counts)}")
        left = [have + more for have, more in zip(left, counts, strict=True)]
    for row, total in enumerate(left):
        axes.annotate(str(total), (total, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=14)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=len(OUTCOMES), fontsize=13, frameon=False)
    _tidy(axes, "Photos", max(left))


def _draw_bars(axes: "Axes", title: str, bars: list[tuple[str, float]], colour: str, shown: str) -> None:
    names, values = [name for name, _ in bars][::-1], [value for _, value in bars][::-1]
    axes.barh(names, values, color=colour)
    for row, value in enumerate(values):
        text = shown.format(value)
        axes.annotate(text, (max(value, 0), row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=14)
    _tidy(axes, title, max(values))


def _tidy(axes: "Axes", title: str, most: float) -> None:
    """Leave room for the number behind the longest bar, and nothing that says the same twice."""
    axes.set_title(title, loc="left", fontsize=16, fontweight="bold")
    axes.set_xlim(0, max(most, 1) * 1.15)
    axes.set_xticks([])
    axes.tick_params(axis="y", labelsize=14, length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
