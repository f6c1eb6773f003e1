"""The state of a run: held, saved as JSON and read back."""
