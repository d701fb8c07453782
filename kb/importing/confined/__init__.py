"""Reading PDF, Word and zip files in a process of their own, without Django, database, settings or secrets.

`child.py` is started for each file (by `kb.importing.loaders.confinement`), gives up what it could do harm with, and
only then reads its standard input. Whatever happens to it, the caller has one file that could not be read.
"""
