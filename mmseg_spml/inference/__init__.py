"""Prediction of images of any size, and the files that it writes."""

from mmseg_spml.inference.folder import predict_folder
from mmseg_spml.inference.tiled_predictor import TiledPredictor

__all__ = ['TiledPredictor', 'predict_folder']
