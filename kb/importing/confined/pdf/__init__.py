"""PDF files as HTML; `reader.py` is the entry point."""
