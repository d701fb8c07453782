"""Requests for actions: how they are proposed, decided, executed, checked later, and undone."""
