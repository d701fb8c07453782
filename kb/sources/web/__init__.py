"""Websites as a source: which addresses, by which rules, and what a page says."""
