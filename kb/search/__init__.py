"""Searching the knowledge base: the function `search` is the entry point, and the modules are its steps."""

from kb.search.passages import Curated, Passage, Retrieval
from kb.search.retrieval import Mode, evidence_for, search

__all__ = ["Curated", "Mode", "Passage", "Retrieval", "evidence_for", "search"]
