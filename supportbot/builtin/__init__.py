"""The built-in answerer: a provider that needs neither a model nor a network. It finds passages and quotes them."""
