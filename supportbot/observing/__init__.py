"""Observability of a running installation: series for Prometheus, and log lines that programs can read.

This package depends on no other. Its output never contains people's texts: only ids, counts, times, and names from
closed lists.
"""
