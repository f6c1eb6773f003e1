"""Compares us with the Agents SDK: its public surface, its own tests and its examples, here and there.

    python3 -m venv sdk && sdk/bin/python -m pip install 'openai-agents==0.24.0' -e . \\
        pytest pytest-asyncio pytest-mock pytest-timeout pytest-xdist inline-snapshot fastapi requests
    python -m tests.sdk --sdk-python sdk/bin/python

A developer runs it by hand. One environment has both, and runs everything twice: as it is, and with the folder `alias`
on its path, whose `sitecustomize.py` puts our alias in force before the first import. So both meet the same libraries.

`archive.py` gets the SDK's source, `sides.py` runs a program on either side, `surface.py`, `suite.py` and `examples.py`
compare; `selection.py` says which of its tests use public names only. `fixtures.py` is what those tests get instead of
the SDK's `conftest.py`, which is made of private names; `describe.py` runs within a side and prints its surface.
"""
