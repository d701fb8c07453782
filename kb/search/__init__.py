"""Searching the knowledge base: `search` is the entry point, the modules below are its steps."""

from kb.search.passages import Passage, Retrieval
from kb.search.retrieval import Mode, evidence_for, search

__all__ = ["Mode", "Passage", "Retrieval", "evidence_for", "search"]
