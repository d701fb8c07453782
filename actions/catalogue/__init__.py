"""One file per action; each defines its ACTION."""
