"""From an intent to the next step: which order, which values, what is missing, and the call that a model would make."""
