"""Checks on what goes into a model and on what comes out, outside the model and without one."""
