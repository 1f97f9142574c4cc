"""What the checker is held to: an oracle that tries every order, drawn histories, and faults planted in them."""
