"""The only way for this installation to make HTTP calls to other systems. Every call is checked."""
