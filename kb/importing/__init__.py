"""Importing and exporting articles as files."""
