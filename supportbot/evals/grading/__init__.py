"""Grades results and reports on runs: graders, statistics, comparisons, and labels by people."""
