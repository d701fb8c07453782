"""The only guarded way out: HTTP calls from this installation to other systems."""
