"""Filing: lies as files, and what became of them."""
