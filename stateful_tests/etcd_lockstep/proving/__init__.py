"""Proof of what the suite catches: every specimen is searched for its lie, and the searches are measured."""
