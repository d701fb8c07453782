"""Outgoing webhooks: events sent to a workspace's servers, signed according to Standard Webhooks."""
