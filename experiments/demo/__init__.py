"""Generated data set for trying the method without downloading anything."""

from experiments.demo.textured_scenes import CLASSES, PALETTE, Scene, draw_scene
from experiments.demo.voc_folder import write_lists, write_scene

__all__ = ['CLASSES', 'PALETTE', 'Scene', 'draw_scene', 'write_lists', 'write_scene']
