"""The built-in answerer: a provider that needs neither model nor network. It finds what answers and quotes it."""
