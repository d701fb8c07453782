"""Releases: versions of everything that shapes an answer."""
