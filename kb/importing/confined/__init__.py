"""Reading PDF, Word and zip files in a separate process, without Django, database, settings or secrets.

`child.py` is started for each file (by `kb.importing.confinement`), gives up everything that could do harm, and only
then reads its standard input. If it fails, only this one file cannot be read.
"""
