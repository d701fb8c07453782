"""Websites as a source: which addresses are read, by which rules, and what is kept of a page."""
