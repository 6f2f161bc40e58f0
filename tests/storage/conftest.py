"""Fixtures for the tests of the room storage: on both databases, but for files with a `db` of their own."""

from tests.databases import either as db
from tests.databases import path, template, url

__all__ = ["db", "path", "template", "url"]
