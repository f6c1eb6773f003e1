"""Bundles: archives of one run for bug reports, with its cassette, trace, sources and settings, all masked."""
