"""Campaigns: many shards on several processes or machines, with a state that outlives all of them."""
