"""Shadow replays: a release answers customers' questions from the last few days."""
