"""The leak test of `agentctl doctor`: runs with a canary for each secret, and a search for canaries in all they write.

It uses temporary folders and a service on loopback; nothing of the user is read or changed.
"""
