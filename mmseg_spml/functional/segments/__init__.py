"""Pooling of pixels into segments: k-means, prototypes, label sets, retrieval."""
