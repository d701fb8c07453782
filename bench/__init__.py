"""Load benchmarks of the chat path: what the product adds to a bare relay of the same stream. See README.md."""
