"""Races between the threads of one process: calls on a Python target, run one thread at a time under a schedule."""
