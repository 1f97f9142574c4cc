"""The command line, and what it prints while it runs."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before grpc is imported: its errors are reported in our words
