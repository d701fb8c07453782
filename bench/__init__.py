"""Benchmarks of speed, size and quality. See README.md."""
