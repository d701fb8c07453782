"""The small language of definitions: expressions, their values and functions, and texts with expressions in them."""
