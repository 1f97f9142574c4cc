"""Searching: sequences are drawn and run, what differs is judged, and a lie gets its shortest trace."""
