"""The formats of suites: our own, those of other tools, and those of our benchmarks."""
