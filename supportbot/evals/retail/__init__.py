"""The retail tasks of a public benchmark (tau-bench, MIT): its shop, the shop's operations as definitions, and its task
files.

Its data is not part of the product. `manage.py retail_benchmark` reads a folder with `db.json`, `policy.md` and task
files.
"""
