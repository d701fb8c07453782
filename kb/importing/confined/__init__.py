"""Reading PDF, Word and zip files in a separate process, without Django, database, settings or secrets.

`child.py` is started for each file (by `kb.importing.confinement`), gives up everything it could do harm with,
and only then reads its standard input. Whatever happens to it, the caller just has one file that could not be read.
"""
