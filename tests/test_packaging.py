"""What is installed is whole and light: package data, the image's steps, the bot without the rest of the house."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

HOUSE = Path(__file__).parent.parent
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
DOCKERFILE = (HOUSE / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COPIED = [path for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()]
ROOMS = ["bot", "handlers", "jobs", "imaging", "storage", "engine", "sandbox"]
# Run in a bare directory that holds what the image holds: everything the bot loads, and nothing heavy.
PROBE = """
import sys
import bot.app, bot.check, bot.cli
heavy = {"numpy", "cv2", "matplotlib", "skimage", "scipy", "engine", "sandbox", "pytest"} & set(sys.modules)
assert not heavy, heavy
assert bot.cli.__file__.startswith(sys.argv[1]), bot.cli.__file__
"""


def test_wheels_carry_all_the_program_reads() -> None:
    """Every file in a room that is no Python matches a package-data pattern."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path for room in ROOMS for path in (HOUSE / room).rglob("*") if path.is_file()]
    data = [path for path in files if path.suffix not in {".py", ".pyc"}]
    assert any(path.suffix == ".po" for path in data)
    for path in data:
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns), path


def test_every_room_is_packaged_and_typed() -> None:
    """Each room is found by setuptools and ships its types."""
    assert PROJECT["tool"]["setuptools"]["packages"]["find"]["include"] == [f"{room}*" for room in ROOMS]
    for room in ROOMS:
        assert (HOUSE / room / "py.typed").exists()


def test_the_image_copies_what_is_there() -> None:
    """Each COPY names a file that exists and that .dockerignore lets in."""
    let_in = {line[1:] for line in (HOUSE / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert len(COPIED) > 5
    for path in COPIED:
        assert (HOUSE / path).exists(), path
    assert set(COPIED) == let_in


def test_the_image_starts_the_program() -> None:
    """Its entry point is the script of pyproject.toml, which leads to a function; it runs as nobody special."""
    scripts = PROJECT["project"]["scripts"]
    assert f'ENTRYPOINT ["{next(iter(scripts))}"]' in DOCKERFILE
    module, _, function = scripts["darkroom"].partition(":")
    assert callable(getattr(import_module(module), function))
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    for line in ("USER darkroom", "VOLUME /data", "HEALTHCHECK", 'CMD ["run"]'):
        assert line in last_stage
    assert not re.search(r"^FROM \S*/", DOCKERFILE, re.MULTILINE)


def test_the_image_needs_nothing_else(tmp_path: Path) -> None:
    """In a bare directory with the copied files alone the bot loads, without the engine's heavy libraries."""
    for path in COPIED:
        source = HOUSE / path
        if source.is_dir():
            shutil.copytree(source, tmp_path / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / path)
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, probe, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
