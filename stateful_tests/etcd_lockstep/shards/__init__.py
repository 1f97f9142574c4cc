"""Shards: a search in parts that are plain data, each run by a process of its own."""
