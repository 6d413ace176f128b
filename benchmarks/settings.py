"""Settings of the benchmarks."""

from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.scene import Scene, generate_scene, read_scene


@dataclass(frozen=True)
class Settings:
    """Settings that the measured parts share.

    Attributes:
        device: Device to compute on.
        small: Whether scenes are small.
        scene: File of the scene of a training step; None generates one.
        config: Config of the network of whole iterations and predictions; None leaves
            these parts out.
    """

    device: torch.device
    small: bool = False
    scene: Path | None = None
    config: Path | None = None

    def training_step(self) -> Scene:
        """Return the scene of a training step."""
        if self.scene is not None:
            return read_scene(self.scene, self.device)
        if self.small:
            return generate_scene(self.device, images=2, side=32, memory=100)
        return generate_scene(self.device)
