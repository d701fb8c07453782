"""Running a suite: its cases, their outcomes, and the worker that carries runs out."""
