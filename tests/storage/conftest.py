"""Fixtures for the tests of the room storage: they run on both databases, but for files that bring a `db` of their own."""

from tests.databases import either as db
from tests.databases import path, template, url

__all__ = ["db", "path", "template", "url"]
