"""What to measure on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import torch

from .scene import Scene, generate_scene, read_scene


@dataclass(frozen=True)
class Settings:
    """What to measure on.

    Attributes:
        device: Where to compute.
        small: Whether scenes are small.
        scene: File of the scene of a training step; None: a generated one.
        config: Of the network of whole iterations and predictions; None: they are
            left out.
    """

    device: torch.device
    small: bool = False
    scene: Optional[Path] = None
    config: Optional[Path] = None

    def training_step(self) -> Scene:
        """The scene of a training step."""
        if self.scene is not None:
            return read_scene(self.scene, self.device)
        if self.small:
            return generate_scene(self.device, images=2, side=32, memory=100)
        return generate_scene(self.device)
