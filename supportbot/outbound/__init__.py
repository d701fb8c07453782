"""The one guarded way out: HTTP calls from this installation to the systems of others."""
