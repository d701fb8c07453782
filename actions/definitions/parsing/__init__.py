"""Reading the JSON document of a definition into its parts, and collecting every mistake."""
