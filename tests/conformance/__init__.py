"""The conformance suite of machine output: what this release and earlier ones printed, which later ones must satisfy.

`version1/` has recordings: the stdout of commands, with times, ids, durations, addresses and folders replaced by fixed
ones, and `index.json` with the command and the exit code of each. `version1/schema.json` is the schema of the release.
A recording is never changed or removed; a release adds those of what is new in it:

    python -m tests.conformance              # records the scenarios that have no recording yet
    python -m tests.conformance --check      # runs all scenarios again, and compares

`scenarios.py` says what is run. `test_coverage.py` fails for an event, a document, an outcome, an exit code or a
transport without a recording; `test_recordings.py` for a release that breaks a reader of the recordings.
"""
