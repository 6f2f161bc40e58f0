"""`make demo`: the whole house on this machine, and people in a private chat and a group who send real photographs."""

import asyncio
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from sandbox.client import Chat, Person
from tests.journeys.scenes import GROUP, PRIVATE, Mismatch, Scene, check, play
from tests.journeys.sheet import contact_sheet
from tests.journeys.stage import Stage, stage

OUT = Path("demo-out")
ALLOWANCE = 10


@dataclass
class Show:
    """What happened so far."""

    console: Console
    progress: Progress
    bar: TaskID
    rows: list[tuple[str, Image.Image, Image.Image]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


async def main() -> int:
    """Play everything; give 0 only if every result is what was asked and the quotas show exactly what was spent."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    console = Console()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-demo-") as folder,
        Progress(*columns, console=console) as progress,
    ):
        bar = progress.add_task("starting engine, sandbox and bot", total=len(PRIVATE) + len(GROUP))
        show = Show(console, progress, bar)
        try:
            async with stage(Path(folder), daily_allowance=str(ALLOWANCE)) as house:
                playing = asyncio.create_task(_play_all(house, show))
                died = asyncio.create_task(house.bot.wait())
                await asyncio.wait({playing, died}, return_when=asyncio.FIRST_COMPLETED)
                if not playing.done():
                    playing.cancel()
                    show.troubles.append("the bot ended before the play did: see bot.log")
                await asyncio.gather(playing, return_exceptions=False)
        except Exception as error:  # noqa: BLE001  whatever went wrong, the logs below say more
            show.troubles.append(f"{type(error).__name__}: {error}")
        if show.troubles:
            for log in Path(folder).glob("*.log"):
                shutil.copy(log, OUT)
    return _report(show)


async def _play_all(house: Stage, show: Show) -> None:
    bot = str(house.tg.bot["username"])
    ann, ben = await house.tg.person("Ann", language="en"), await house.tg.person("Ben", language="en")
    family = await house.tg.group("Family", [ann, ben])
    hello = await ann.start()
    show.console.print(f"[dim]Ann[/] /start → {(await ann.chat.wait_for(after=hello)).words}")
    show.progress.update(show.bar, description="developing")
    await asyncio.gather(
        _play(PRIVATE, ann, ann.chat, bot, show, "private chat"), _play(GROUP, ben, family, bot, show, "group")
    )
    await _check_quota(ann, ann.chat, len(PRIVATE), bot, show)
    await _check_quota(ben, family, len(GROUP), bot, show)


async def _play(scenes: Sequence[Scene], person: Person, chat: Chat, bot: str, show: Show, where: str) -> None:
    for number, scene in enumerate(scenes, 1):
        title = f"{where}: {scene.title}: {scene.command.format(bot=bot)}"
        try:
            reply = await play(scene, person, chat, bot)
            show.console.print(f"[dim]{person.user['first_name']}[/] {title} → {reply.words}")
            data = await person.tg.download(reply)
            result = check(scene, data)
        except (Mismatch, KeyError) as error:
            show.troubles.append(f"{title}: {error}")
        else:
            name = f"{where}-{number}-{scene.way}.{scene.want.format.lower()}".replace(" ", "-")
            (OUT / name).write_bytes(data)
            show.rows.append((title, Image.open(io.BytesIO(scene.picture)), result))
        show.progress.advance(show.bar)


async def _check_quota(person: Person, chat: Chat, spent: int, bot: str, show: Show) -> None:
    asked = await person.send(chat, text=f"/quota@{bot}")
    words = (await chat.wait_for(lambda message: message.by_bot and message.replies_to == asked.id, after=asked)).words
    show.console.print(f"[dim]{person.user['first_name']}[/] /quota → {words}")
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    if numbers[:3] != [ALLOWANCE - spent, spent, ALLOWANCE]:
        show.troubles.append(f"the quota should say that {spent} of {ALLOWANCE} are used, and says: {words}")


def _report(show: Show) -> int:
    if show.rows:
        contact_sheet(show.rows).save(OUT / "contact-sheet.png")
    for trouble in show.troubles:
        show.console.print(f"[red]✗[/] {trouble}")
    show.console.print(f"{len(show.rows)} results and contact-sheet.png are in [bold]{OUT.resolve()}[/]")
    return 1 if show.troubles or not show.rows else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
