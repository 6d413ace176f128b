"""Label maps: meaning of the values, rasterization of shapes, confusion matrix."""
