"""Comparing: one operation on every target, what of the answers is compared, and the vote."""
