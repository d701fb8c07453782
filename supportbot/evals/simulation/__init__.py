"""Conversations without side effects: simulated conversations, customers and merchants, and planted instructions."""
