"""Postgres: the only truth. Implements the ports `Journal`, `Leases` and `Records`."""
