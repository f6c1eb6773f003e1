"""The soak: runs over every transport against seeded faults, and what must hold after each of them.

`python -m tests.soak` runs it by hand; `README.md` has the commands, and those for servers that were written elsewhere.
"""
