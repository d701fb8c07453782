"""Connections: the APIs that a workspace's defined actions call, and how we authenticate to each."""
