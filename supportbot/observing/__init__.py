"""What an operator sees of a running installation: series for Prometheus, and log lines that programs can read.

It knows no other room. Nothing in it carries what people wrote: ids, counts, times, and names from closed lists.
"""
