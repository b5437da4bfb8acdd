"""Stands beside probe.py in the source tree and in no BUILD rule: nothing must import it."""
