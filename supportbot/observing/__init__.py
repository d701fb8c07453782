"""What an operator sees of a running installation: series for Prometheus, and log lines that programs can read.

It depends on no other package, and never carries what people wrote: only ids, counts, times, and names from closed
lists.
"""
