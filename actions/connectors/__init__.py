"""The way to the merchant's own system: a port, and the connector that speaks HTTP."""
