"""The command line, and what it prints while it runs."""
