"""The embedded local model: its weights, chat protocol, runtime and adapter."""
