"""How fast we are, as ratios to floors that are measured beside us in the same run: `python -m tests.benchmarks`.

A ratio is the median over interleaved pairs of processes, bytecode compiled and caches warm. Nothing here fails for
being slow: the exit code tells breakage only.
"""
