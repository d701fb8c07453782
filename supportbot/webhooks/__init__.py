"""Outgoing webhooks: events sent to a workspace's servers, signed by Standard Webhooks."""
