"""One file per action; each names its ACTION."""
