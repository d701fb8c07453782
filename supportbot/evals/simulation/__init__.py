"""Conversations run without side effects: the rehearsal, simulated customers and merchants, planted instructions."""
