"""The node's service: how its HTTP application is put together, and what it answers."""
