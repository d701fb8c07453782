"""Wrenfell Outdoor, the merchant of the demo: a small shop of its own that knows nothing of the support platform."""
