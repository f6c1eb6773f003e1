"""Tickets: suspended runs that wait for approval."""
