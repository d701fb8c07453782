"""Everything about human languages: detection, stems, sentences, Markdown blocks, figures.

All of it is pure. Knowledge about individual languages is data with a source and a licence (`data/`).
"""
