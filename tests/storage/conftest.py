"""Fixtures for the tests of the room storage."""

from tests.databases import db, path, template

__all__ = ["db", "path", "template"]
