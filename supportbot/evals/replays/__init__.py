"""Shadow replays: a release answers the questions that customers asked in the last few days."""
