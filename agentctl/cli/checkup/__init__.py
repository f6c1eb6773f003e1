"""The checks of `agentctl doctor`; they report problems and change nothing."""
