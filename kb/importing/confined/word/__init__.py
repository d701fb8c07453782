"""Word files (.docx) as HTML; `reader.py` is the entry point."""
