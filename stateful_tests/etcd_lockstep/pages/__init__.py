"""The pages of docs/ that are made from runs: what differs between versions, and how much of the API is exercised."""
