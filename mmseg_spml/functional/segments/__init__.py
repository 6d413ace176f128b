"""Pixels to segments: k-means, pooling, label sets, retrieval."""
