"""From an intent to the next step: finds the order and the values, asks for missing ones, and makes the tool call."""
