"""Reads the JSON document of a definition into its parts, and collects every mistake."""
