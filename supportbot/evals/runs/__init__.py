"""Runs of a suite: the cases, their outcomes, and the worker that executes runs."""
