"""Tests of the room storage, on real SQLite files."""
