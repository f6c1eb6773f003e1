"""Reports of runs for CI systems: GitHub Actions, JUnit XML and Markdown.

A report is built from values, and its text is escaped for each format: a model, a tool or a service can neither issue a
command to a CI system nor change the structure of a page.
"""
