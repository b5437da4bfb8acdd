"""Is next to probe.py in the source tree, but in no BUILD rule, so importing it must fail."""
