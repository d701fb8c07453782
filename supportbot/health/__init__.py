"""Probes for every process: whether it is alive and ready for its role, the installation's health, and metrics.

`probe_responses.py` defines the addresses and who may see details. Web processes answer in a middleware before the host
check, since probes and Prometheus address a process by IP; worker and beat have their own small server.
"""
