"""What is known about an installation before Django is set up: its environment, its secrets, and the running processes.

The settings import this package, so nothing in it may read a setting when it is imported.
"""
