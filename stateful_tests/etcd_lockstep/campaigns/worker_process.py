"""Loaded by each worker process of a cluster on this machine: Ctrl-C is for the coordinator, which ends the workers."""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
