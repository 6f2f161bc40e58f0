"""Every test says in its docstring what it shows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.rglob("test_*.py"))


def functions_in(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [function for function in functions if function.name.startswith("test_")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_test_has_a_docstring(path: Path) -> None:
    """A test that does not say what it shows fails here, and so does a test file without tests."""
    found = functions_in(path)
    assert found
    assert [function.name for function in found if not ast.get_docstring(function)] == []


def test_the_search_finds_tests() -> None:
    """Were the search broken, the test above would pass over nothing."""
    assert len(FILES) > 5
    assert sum(len(functions_in(path)) for path in FILES) > 50
