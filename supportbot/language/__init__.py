"""Everything about human languages: detection, stems, sentences, Markdown blocks, figures.

The whole package is pure. What it knows about individual languages is data with a source and a licence (`data/`).
"""
