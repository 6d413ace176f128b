"""Necks that compute the pixel embedding and pool it into segments."""
