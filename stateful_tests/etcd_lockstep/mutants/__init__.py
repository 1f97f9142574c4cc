"""Mutation testing: small changes to the model, to the fake and to the harness, each of which something must notice.

cosmic-ray finds the places and makes the changes; a changed module is loaded in place of the real one, in a process of
its own, and no file of the sources is touched.
"""
