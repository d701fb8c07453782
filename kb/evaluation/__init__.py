"""Measuring search with known questions, and fitting its confidence."""
