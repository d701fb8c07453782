"""Recognising what a customer wants done, from the actions' own examples: the built-in answerer's tool calls."""
