"""Prices of models, and the cost of a run: the user's own prices, over those of genai-prices."""
