"""Segmentors, which connect backbone, neck and heads."""
