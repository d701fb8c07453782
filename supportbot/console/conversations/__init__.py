"""Conversations and their outcomes: the lists, the figures, and the pages for one conversation and one customer."""
