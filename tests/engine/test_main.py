"""The engine as a process: started by its command, stopped by a signal."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import httpx
import pytest

from engine.__main__ import parser, read_config
from tests.engine.support import BEARER, KEY, picture


async def launch(*arguments: str, keys: str = KEY, folder: Path | None = None) -> Process:
    environment = os.environ | {"ENGINE_KEYS": keys} | ({"TMPDIR": str(folder)} if folder else {})
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine", *arguments, env=environment, stdout=PIPE, stderr=PIPE
    )


def workers(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_whole_life(tmp_path: Path) -> None:
    """It says where it listens within 5 s of work, colours a photo, and ends on SIGTERM leaving nothing."""
    (tmp_path / "tmp").mkdir()
    port_file = tmp_path / "port"
    process = await launch("--port", "0", "--port-file", str(port_file), "--workers", "1", folder=tmp_path / "tmp")
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    url = f"http://127.0.0.1:{port_file.read_text()}"
    assert line == f"engine ready on {url}\n"
    async with httpx.AsyncClient(base_url=url, headers=BEARER, timeout=30) as client:
        assert (await client.get("/healthz")).status_code == 200
        files = {"image_file": ("photo.jpg", picture((320, 240), "JPEG"))}
        data = (await client.post("/task/pic/colorization", files=files, data={"sync": "1"})).json()["data"]
        assert (await client.get(data["image"])).headers["content-type"] == "image/jpeg"
    children = workers(process.pid)
    assert len(children) == 1
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_workers_do_not_outlive_a_killed_server() -> None:
    """When the server is killed outright, its workers see their orders end and go."""
    process = await launch("--port", "0", "--workers", "1")
    assert process.stdout
    await asyncio.wait_for(process.stdout.readline(), 60)
    assert len(workers(process.pid)) == 1
    process.kill()
    async with asyncio.timeout(30):
        await process.communicate()  # ends no sooner, for the worker holds stderr open until it is gone


@pytest.mark.parametrize("wrong", [["--workers", "0"], ["--rate", "-1"], ["--queue", "many"]])
def test_wrong_numbers_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """No workers, a negative rate, no number at all: the command line says which option is wrong."""
    with pytest.raises(SystemExit):
        parser().parse_args(wrong)
    assert wrong[0] in capsys.readouterr().err


async def test_without_a_key_it_does_not_start() -> None:
    """An engine open to everyone is refused, with a line that says what to set."""
    process = await launch(keys=" , ")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"ENGINE_KEYS" in errors


def test_options_reach_the_configuration() -> None:
    """Every option has its place; keys are split at commas and hidden."""
    line = "--public-url https://x.example --allow-private --rate 2 --workers 3 --queue 4 --task-seconds 5"
    config = read_config(parser().parse_args([*line.split(), "--keep-seconds", "6"]), {"ENGINE_KEYS": "sk-a, sk-b"})
    assert (config.public_url, config.allow_private, config.rate) == ("https://x.example", True, 2.0)
    assert (config.workers, config.queue, config.task_seconds, config.keep_seconds) == (3, 4, 5.0, 6.0)
    assert [key.get_secret_value() for key in config.keys] == ["sk-a", "sk-b"]
    assert "sk-a" not in repr(config)
    with pytest.raises(ValueError, match="ENGINE_KEYS"):
        read_config(parser().parse_args([]), {})
