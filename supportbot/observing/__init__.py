"""What operators see of a running installation: series for Prometheus, and log lines that programs can read.

This package depends on no other. Its output never contains texts written by people: only ids, counts, times, and names
from closed lists.
"""
