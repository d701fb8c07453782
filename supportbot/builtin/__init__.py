"""The built-in answerer: a provider that needs neither a model nor a network. It answers by quoting passages."""
