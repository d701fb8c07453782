"""Providers: ways to reach a model.

A provider's package is imported only by the module named after it, and only when it is used.
"""
