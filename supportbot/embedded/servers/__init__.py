"""The servers of an installation: PostgreSQL and Valkey from wheels, or the operator's own."""
