"""Probes for every process: whether it is alive, whether it is ready for its role, whether the installation is healthy,
and metrics.

`probe_responses.py` defines the addresses and who may see details. Web processes answer in a middleware before the host
check, because probes and Prometheus address a process by its IP address. Workers and beat each have a small server of
their own.
"""
