"""The search index: passages, their words and vectors, and how they are kept in sync with the articles."""
