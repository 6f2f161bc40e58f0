"""Tests of what the engine does to pictures, on real photographs."""
