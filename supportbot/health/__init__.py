"""Probes of every process: is it alive, is it ready for its role, is the installation healthy, and its metrics.

`answers.py` holds the addresses and who may see details. Web processes answer in a middleware ahead of the check of
hosts, since a probe and Prometheus name a process by its address; worker and beat have a small server of their own.
"""
