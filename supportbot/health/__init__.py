"""Probes of every process: is it alive, is it ready for its role, is the installation healthy, and its metrics.

`answers.py` holds the addresses and who may see details. Web processes answer in a middleware before the host check,
since probes and Prometheus address a process by IP; worker and beat have their own small server.
"""
