"""Conversations run without side effects: simulated conversations, customers and merchants, planted instructions."""
