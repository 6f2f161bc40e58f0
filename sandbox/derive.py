"""Derives api.json, the sandbox's table of methods and parameters, from the Bot API reference in JSON."""

import json
import re
import sys
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("api.json")
CONSTANT = re.compile(r'(?:, must be |, always ["“])(\w+)["”]?$')
SIMPLE = {"Integer", "Float", "String", "Boolean", "True", "InputFile"}


def derive(reference: dict[str, Any]) -> dict[str, Any]:
    """Return the compact table: ``{"version", "methods": {name: {parameter: kinds}}, "types": {…}}``.

    *kinds* are the allowed types joined by ``|``, with a ``!`` at the end when required; ``String=photo`` is a
    string that must be "photo". A type is either its fields in the same notation, or, for a type that is one
    of several, those types joined by ``|``. Only types that parameters can reach are kept. ``reactions`` are
    the emoji a reaction may be. *reference* is github.com/PaulSonOfLars/telegram-bot-api-spec's api.json.
    """
    methods = {name: _fields(method) for name, method in reference["methods"].items()}
    types: dict[str, Any] = {}
    wanted = [kind for fields in methods.values() for kinds in fields.values() for kind in _names(kinds)]
    while wanted:
        name = wanted.pop()
        if name in SIMPLE or name in types:
            continue
        described = reference["types"][name]
        types[name] = "|".join(described.get("subtypes", [])) or _fields(described)
        inner = [types[name]] if isinstance(types[name], str) else types[name].values()
        wanted += [kind for kinds in inner for kind in _names(kinds)]
    emoji = reference["types"]["ReactionTypeEmoji"]["fields"][1]["description"]
    return {
        "version": reference["version"],
        "reactions": re.findall(r'"([^"]+)"', emoji),
        "methods": methods,
        "types": dict(sorted(types.items())),
    }


def _fields(described: dict[str, Any]) -> dict[str, str]:
    return {
        field["name"]: "|".join(field["types"]) + _constant(field) + "!" * field["required"]
        for field in described.get("fields", [])
    }


def _constant(field: dict[str, Any]) -> str:
    found = CONSTANT.search(field["description"]) if field["types"] == ["String"] else None
    return f"={found[1]}" if found else ""


def _names(kinds: str) -> list[str]:
    return [re.sub(r"Array of |=.*", "", kind) for kind in kinds.rstrip("!").split("|")]


if __name__ == "__main__":
    reference = json.loads(Path(sys.argv[1]).read_text())
    TABLE.write_text(json.dumps(derive(reference), indent=0, separators=(",", ":")) + "\n")
