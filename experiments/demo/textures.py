"""Textures of the demo scenes: patterns without color.

Object textures are functions of a coordinate frame (pixels, rotated, with the
object's center as origin); background textures are random fields. All return
(H, W) float32 in [-1, 1].
"""

import cv2
import numpy as np

TAU = 2 * np.pi


def _two_tone(values: np.ndarray, sharpness: float = 3.0) -> np.ndarray:
    """Push values toward -1 and 1, so that all textures have the same tones."""
    return np.tanh(sharpness * values).astype(np.float32)


def stripes(y: np.ndarray, x: np.ndarray, period: float) -> np.ndarray:
    """Draw straight lines."""
    return _two_tone(np.sin(TAU * x / period))


def checks(y: np.ndarray, x: np.ndarray, period: float) -> np.ndarray:
    """Draw squares of alternating tones."""
    # Squares of 0.7 period: 2 x 2 of them have about the area of other motifs.
    angle = TAU / (1.4 * period)
    return _two_tone(2 * np.sin(angle * x) * np.sin(angle * y))


def dots(y: np.ndarray, x: np.ndarray, period: float) -> np.ndarray:
    """Draw round spots on a square lattice."""
    return _two_tone(np.cos(TAU * x / period) + np.cos(TAU * y / period) - 0.7)


def rings(y: np.ndarray, x: np.ndarray, period: float) -> np.ndarray:
    """Draw circles around the center."""
    return _two_tone(np.sin(TAU * np.hypot(y, x) / period))


def mesh(y: np.ndarray, x: np.ndarray, period: float) -> np.ndarray:
    """Draw thin crossing lines."""
    lines = np.maximum(np.cos(TAU * x / period), np.cos(TAU * y / period))
    return _two_tone(lines - 0.7, 5.0)


def zigzags(y: np.ndarray, x: np.ndarray, period: float) -> np.ndarray:
    """Draw lines that swing from side to side."""
    swing = 2 * np.abs((y / (2 * period)) % 1 - 0.5)  # 0..1, triangular
    return _two_tone(np.sin(TAU * (x / period + swing)))


def clouds(rng: np.random.Generator, size: tuple) -> np.ndarray:
    """Draw soft blotches."""
    return _field(rng.standard_normal(size), 3.5, 3.5)


def grain(rng: np.random.Generator, size: tuple) -> np.ndarray:
    """Draw fine speckle."""
    return _field(rng.standard_normal(size), 0.9, 0.9)


def fibers(rng: np.random.Generator, size: tuple) -> np.ndarray:
    """Draw streaks along a random direction."""
    side = int(np.ceil(np.hypot(*size)))
    field = _field(rng.standard_normal((side, side)), 7.0, 1.1)
    center = ((side - 1) / 2, (side - 1) / 2)
    turn = cv2.getRotationMatrix2D(center, rng.uniform(0, 180), 1.0)
    turned = cv2.warpAffine(field, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    return turned[top : top + size[0], left : left + size[1]]


def cracks(rng: np.random.Generator, size: tuple) -> np.ndarray:
    """Draw the borders of random cells of about 12 pixels."""
    count = max(4, size[0] * size[1] // 144)
    seeds = rng.uniform(-6, 6 + np.array(size), (count, 2))
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(y[..., None] - seeds[:, 0], x[..., None] - seeds[:, 1])
    nearest = np.partition(distance, 1, axis=2)
    return _two_tone(1.2 - (nearest[..., 1] - nearest[..., 0]), 1.2)


def _field(noise: np.ndarray, sigma_x: float, sigma_y: float) -> np.ndarray:
    """Smooth noise and scale it to unit spread before toning."""
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma_x, sigmaY=sigma_y)
    return _two_tone((smooth - smooth.mean()) / max(smooth.std(), 1e-6), 1.5)


OBJECT_TEXTURES = (stripes, checks, dots, rings, mesh, zigzags)
BACKGROUND_TEXTURES = (clouds, grain, fibers, cracks)
