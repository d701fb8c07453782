"""Access to the merchant's system: the port, and the connector that speaks HTTP."""
