"""The documents say what the program has: an undocumented setting, command, target or dependency fails."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.cli import app
from bot.settings import PREFIX, Settings

HOUSE = Path(__file__).parent.parent
README = (HOUSE / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [HOUSE / "README.md", HOUSE / "CHANGELOG.md", *(HOUSE / "docs").rglob("*.md")]
FEWEST_SETTINGS, FEWEST_COMMANDS, FEWEST_DEPENDENCIES = 20, 11, 25  # found today; fewer means the search broke


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def telegram_commands() -> set[str]:
    """Return every command that handlers/__init__.py hangs into the application."""
    tree = ast.parse((HOUSE / "handlers/__init__.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    hung = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "OnCommand"]
    named = [call.args[1] for call in hung if len(call.args) > 1]
    return {str(name.value) for name in named if isinstance(name, ast.Constant)}


def test_every_setting_is_in_the_readme_with_its_default_and_description() -> None:
    """The README's table is the settings, no more and no less."""
    rows = {cells(row)[0].strip("`"): row for row in README.splitlines() if row.startswith(f"| `{PREFIX}")}
    assert len(rows) >= FEWEST_SETTINGS
    assert set(rows) == {PREFIX + name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        row = rows[PREFIX + name.upper()]
        assert row.endswith(f"| {field.description} |")
        if field.is_required():
            assert "**required**" in row
        elif field.default not in {None, ()}:
            default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
            default = ",".join(default) if isinstance(default, tuple) else default
            assert f"| `{default:g}` |" in row if isinstance(default, float) else f"| `{default}` |" in row


def test_the_example_file_has_every_setting_once() -> None:
    """`.env.example` has each setting under the README's words, in its order, and sets only what must be filled in."""
    text = (HOUSE / ".env.example").read_text(encoding="utf-8")
    assert re.findall(rf"^# (.+)\n(?:# )?({PREFIX}[A-Z_]+)=", text, re.MULTILINE) == [
        ((field.description or "").replace("`", ""), PREFIX + name.upper())
        for name, field in Settings.model_fields.items()
    ]
    assert re.findall(rf"^{PREFIX}[A-Z_]+=(.+)", text, re.MULTILINE) == []


def test_no_document_names_a_setting_that_is_none() -> None:
    """A renamed setting leaves no trace in README, docs, Dockerfile or .env.example."""
    for path in [*DOCUMENTS, HOUSE / "Dockerfile", HOUSE / ".env.example"]:
        for name in re.findall(rf"\b{PREFIX}([A-Z_]+)\b", path.read_text(encoding="utf-8")):
            assert name.lower() in Settings.model_fields, (path, name)


def test_every_command_is_in_the_readme() -> None:
    """What people and admins can write to the bot, and what an operator can type."""
    commands = telegram_commands()
    assert len(commands) >= FEWEST_COMMANDS
    for command in commands:
        assert f"`/{command}" in README, command
    typed = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(typed) >= 2
    for name in typed:
        assert f"`darkroom {name}`" in README


def test_every_target_says_what_it_does() -> None:
    """`make` lists every target that is no file, and the README's first screen names the two that matter."""
    makefile = (HOUSE / "Makefile").read_text(encoding="utf-8")
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert {"demo", "test", "chaos", "bench"} <= set(phony)
    for target in phony:
        assert re.search(rf"^{target}:.*## \w", makefile, re.MULTILINE), target
    top = "\n".join(README.splitlines()[:24])
    assert "make demo" in top
    assert "make test" in top
    assert "make test" in (HOUSE / ".ci/run").read_text(encoding="utf-8")


def test_every_dependency_is_justified_once() -> None:
    """docs/dependencies.md has a line for each dependency under its heading, and none for what is gone."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"The bot": project["dependencies"]} | {
        f"Extra `{extra}`": listed for extra, listed in project["optional-dependencies"].items()
    }
    sections = (HOUSE / "docs/dependencies.md").read_text(encoding="utf-8").split("\n## ")[1:]
    told = {
        section.partition("\n")[0].partition(":")[0]: re.findall(r"^- `([^`]+)`: \w", section, re.MULTILINE)
        for section in sections
    }
    needed = {group: [re.split(r"[\[>=<]", name)[0] for name in listed] for group, listed in groups.items()}
    assert sum(map(len, needed.values())) >= FEWEST_DEPENDENCIES
    for group, names in needed.items():
        assert sorted(told[group]) == sorted(name for name in names if name != "darkroom")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_there_are_documents() -> None:
    """The checks above found something to check."""
    assert len(DOCUMENTS) >= 6
