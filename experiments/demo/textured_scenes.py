"""Generated scenes: textured objects on textured backgrounds.

A class is a texture and a shape. The color of each surface is drawn from one
distribution that all classes, including background, share. Color alone
therefore does not reveal a class, but it separates the surfaces of one
image, as in photographs: regions of an over-segmentation follow objects.

The difficulty was chosen as follows before any model was trained on the scenes:

* sides of 96 to 128 pixels, so that a CPU trains on them in minutes;
* a texture period of 5 to 8 pixels, so that the smallest object (18 % of the
  shorter side, 17 pixels) still shows two periods and a feature map of stride
  4 to 8 can resolve them;
* one to four objects in three sizes up to half of the shorter side, rotated
  freely; at least half of each object stays visible behind others;
* texture contrast, lighting, color cast and noise about as in snapshots.

Letters: H, W image size, C classes.
"""

from typing import NamedTuple

import cv2
import numpy as np

from experiments.demo.textures import BACKGROUND_TEXTURES, OBJECT_TEXTURES

CLASSES = (
    'background',
    'striped_disc',
    'checked_square',
    'dotted_triangle',
    'ringed_star',
    'meshed_hexagon',
    'zigzag_ellipse',
)
PALETTE = (
    (60, 60, 60),
    (230, 80, 70),
    (70, 140, 230),
    (245, 190, 50),
    (150, 90, 200),
    (70, 180, 110),
    (240, 130, 180),
)
SIDES = (96, 112, 128)
# By label: number of corners, radius of every second corner, scale of the second axis.
SHAPES = {
    1: (48, 1.0, 1.0),
    2: (4, 1.0, 1.0),
    3: (3, 1.0, 1.0),
    4: (10, 0.55, 1.0),
    5: (6, 1.0, 1.0),
    6: (48, 1.0, 0.6),
}
# Ranges of diameters as fractions of the shorter side.
DIAMETERS = ((0.18, 0.24), (0.28, 0.36), (0.40, 0.50))
PERIODS = (5.0, 8.0)
MAX_OBJECTS = 4


class Scene(NamedTuple):
    """A generated image with its full mask.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, 0..C-1 without void.
    """

    image: np.ndarray
    mask: np.ndarray


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw one scene, which depends on the generator alone.

    Args:
        rng: The source of all randomness.

    Returns:
        A scene with H and W each of 96, 112 or 128 and one to four objects.

    Example:
        >>> image, mask = draw_scene(np.random.default_rng(0))
        >>> image.dtype, image.shape[:2] == mask.shape, 0 in mask
        (dtype('uint8'), True, True)
    """
    size = tuple(int(side) for side in rng.choice(SIDES, 2))
    backdrop = BACKGROUND_TEXTURES[rng.integers(len(BACKGROUND_TEXTURES))]
    canvas = _surface(rng, backdrop(rng, size))
    mask = np.zeros(size, np.uint8)
    owner = np.zeros(size, np.uint8)  # number of the topmost object, 0 without one
    for number in range(1, int(rng.integers(1, MAX_OBJECTS + 1)) + 1):
        label = int(rng.integers(1, len(CLASSES)))
        cover, texture = _place(rng, label, owner)
        if cover is None:
            continue
        surface = _surface(rng, texture) * _shading(rng, size)
        canvas += cover[..., None] * (surface - canvas)
        mask[cover >= 0.5] = label
        owner[cover >= 0.5] = number
    return Scene(_expose(rng, canvas), mask)


def outline(label: int, diameter: float, angle: float) -> np.ndarray:
    """Compute the corners of the shape of a class around the origin.

    Args:
        label: The class id, 1..C-1.
        diameter: The diameter in pixels of the disc that has the area of the shape.
        angle: The angle in radians by which the shape is rotated.

    Returns:
        (K, 2) float64 corners (x, y) in pixels.
    """
    corners, inner, squeeze = SHAPES[label]
    turn = 2 * np.pi * np.arange(corners) / corners
    points = np.stack([np.cos(turn), squeeze * np.sin(turn)], axis=1)
    points[1::2] *= inner
    x, y = points.T
    area = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    points *= diameter / 2 * np.sqrt(np.pi / area)
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])


def _place(rng: np.random.Generator, label: int, owner: np.ndarray) -> tuple:
    """Return cover (H, W) in [0, 1] and texture of a new object, or (None, None)."""
    areas = np.bincount(owner.ravel())
    for _ in range(10):
        share = rng.uniform(*DIAMETERS[rng.integers(len(DIAMETERS))])
        diameter = share * min(owner.shape)
        margin = 0.35 * diameter  # objects may leave the image a little
        y, x = (rng.uniform(margin, side - margin) for side in owner.shape)
        cover = _cover(outline(label, diameter, rng.uniform(0, 2 * np.pi)), y, x, owner)
        hidden = np.bincount(owner[cover >= 0.5], minlength=len(areas))
        if (hidden[1:] <= 0.5 * areas[1:]).all():
            return cover, _object_texture(rng, label, y, x, owner.shape)
    return None, None


def _cover(
    points: np.ndarray, y: float, x: float, owner: np.ndarray, factor: int = 4
) -> np.ndarray:
    """Fill a polygon that is centered on (y, x) with anti-aliasing."""
    height, width = owner.shape
    large = np.zeros((height * factor, width * factor), np.uint8)
    corners = np.round((points + (x, y)) * factor).astype(np.int32)
    cv2.fillPoly(large, [corners], 255)
    small = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _object_texture(
    rng: np.random.Generator, label: int, y: float, x: float, size: tuple
) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    rows, columns = rows - y, columns - x
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    across = np.cos(angle) * rows - np.sin(angle) * columns
    texture = OBJECT_TEXTURES[label - 1](across, along, rng.uniform(*PERIODS))
    return texture * rng.choice((-1, 1))  # light on dark, or dark on light


def _surface(rng: np.random.Generator, texture: np.ndarray) -> np.ndarray:
    """Color a texture: (H, W, 3) float32 around a random base color."""
    base = rng.uniform(60, 195, 3)
    direction = np.abs(rng.standard_normal(3)) + 0.3  # mostly brightness
    swing = rng.uniform(18, 34) * direction / np.linalg.norm(direction) * np.sqrt(3)
    # Unequal shares of light and dark must not shift the mean color.
    centered = texture - texture.mean()
    return (base + centered[..., None] * swing).astype(np.float32)


def _shading(
    rng: np.random.Generator, size: tuple, strength: float = 0.2
) -> np.ndarray:
    """Draw a smooth factor (H, W, 1) around 1, a plane in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y = np.linspace(-1, 1, size[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, size[1], dtype=np.float32)
    slope = np.float32(rng.uniform(0, strength))
    plane = 1 + slope * (np.cos(angle) * x + np.sin(angle) * y)
    return plane.astype(np.float32)[..., None]


def _expose(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Add lighting, color cast and sensor noise; the result is (H, W, 3) uint8."""
    lit = canvas * _shading(rng, canvas.shape[:2], 0.3)
    lit = lit * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    lit = lit + rng.normal(0, rng.uniform(2, 6), lit.shape)
    return np.clip(np.round(lit), 0, 255).astype(np.uint8)
