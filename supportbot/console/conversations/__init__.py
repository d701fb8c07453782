"""Conversations and their outcomes: the lists, the figures, and the pages of one conversation and one customer."""
