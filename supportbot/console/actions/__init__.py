"""Requests for actions, and the rules of each action."""
