"""A specimen is a fake that lies on purpose, in one named way, to prove that the suite finds it."""
