"""Over-segmentation of images, and metrics of its agreement with object boundaries."""
