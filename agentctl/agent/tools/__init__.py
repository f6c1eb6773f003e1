"""Tools: function tools and their schemas, tools of the API, their guardrails and errors."""
