"""The embedded local model: weights, its chat protocol, and the adapter."""
