"""Backbones that are not in MMSegmentation."""
