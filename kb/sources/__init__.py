"""Sources of articles: websites, folders and uploaded files, which are read again on a schedule."""
