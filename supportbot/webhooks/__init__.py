"""Outgoing webhooks: the servers of a workspace are told what happened, signed by Standard Webhooks."""
