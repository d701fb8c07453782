"""Where articles are read from: websites, folders and uploaded files, read again on a schedule."""
