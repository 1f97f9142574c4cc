"""What a run reports: findings in words, and as pages and files for people and for CI systems."""
