"""Requests for actions, and each action's rules."""
