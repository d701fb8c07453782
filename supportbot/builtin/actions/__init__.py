"""From an intent to the next step: finds the order and the values, asks for missing values, and makes the tool call."""
