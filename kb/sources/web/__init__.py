"""Websites as a source: which addresses are read, by which rules, and which parts of a page are kept."""
