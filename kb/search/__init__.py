"""Searching the knowledge base: `search` is the entry point, and the other modules are its steps."""

from kb.search.passages import Curated, Passage, Retrieval
from kb.search.retrieval import Mode, evidence_for, search

__all__ = ["Curated", "Mode", "Passage", "Retrieval", "evidence_for", "search"]
