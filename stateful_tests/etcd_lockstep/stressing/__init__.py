"""Stress: several clients use one store at the same time, while faults happen, and what they saw is checked."""
