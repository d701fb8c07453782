"""Websites as a source: which addresses are read, the rules for reading them, and which parts of a page are kept."""
