"""Wrenfell Outdoor, the demo's merchant: a small separate shop that is independent of the support platform."""
