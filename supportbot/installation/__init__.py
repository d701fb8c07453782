"""What is known of an installation before Django is set up: its environment, its secrets, and what runs.

The settings import this package, so nothing in it reads a setting while it is imported.
"""
