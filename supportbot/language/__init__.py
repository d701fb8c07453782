"""The one room that knows words of human languages: detection, stems, sentences, Markdown blocks, figures.

Everything here is pure, and what it knows of single languages is data with a source and a licence (`data/`).
"""
