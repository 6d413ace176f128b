"""A generated data set to try the method on without downloading anything."""

from mmseg_spml.demo.textured_scenes import CLASSES, PALETTE, Scene, draw_scene
from mmseg_spml.demo.voc_folder import write_lists, write_scene

__all__ = ['CLASSES', 'PALETTE', 'Scene', 'draw_scene', 'write_lists', 'write_scene']
