"""Fixtures that every part of the test tree may use."""
