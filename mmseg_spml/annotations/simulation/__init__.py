"""Weak labels simulated from full masks."""
