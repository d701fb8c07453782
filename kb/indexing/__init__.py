"""The search index: passages, their words and their vectors, and how they follow the articles."""
