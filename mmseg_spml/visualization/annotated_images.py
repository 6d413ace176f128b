"""Small pictures of annotated images, written as an HTML page or as contact sheets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.voc_classes import voc_palette
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.images import read_picture, write_image
from mmseg_spml.visualization.annotations import (
    annotation_layer,
    annotation_page,
    draw_annotation,
    shrink,
)
from mmseg_spml.visualization.image_grid import image_grid

_COLUMNS, _ROWS = 6, 5


class AnnotatedImages:
    """Annotations with small pictures of their images.

    Args:
        folder: The folder of the images.
        classes: The C class names.
        side: The longer side of a picture in pixels.

    Attributes:
        pictures: Each annotation, and its (H, W, 3) uint8 RGB picture.
        other_sizes: The (height, width) of the images whose size is not the one that
            their annotation states, by name.
    """

    def __init__(self, folder: str | Path, classes: Sequence[str], side: int) -> None:
        self.folder = Path(folder)
        self.classes = classes
        self.palette = voc_palette(len(classes))
        self.side = side
        self.pictures: list[tuple[WeakAnnotation, np.ndarray]] = []
        self.other_sizes: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def add(self, annotation: WeakAnnotation) -> None:
        """Read the image of an annotation and add both.

        Raises:
            AnnotationError: The image is missing or cannot be decoded.
        """
        path = self.folder / annotation.image
        try:
            image = read_picture(path)
        except (OSError, ValueError) as error:
            raise AnnotationError(
                'the image is missing or cannot be decoded', file=path
            ) from error
        if image.shape[:2] != annotation.size:
            self.other_sizes[annotation.image] = image.shape[:2]
        self.pictures.append((annotation, shrink(image, self.side)))

    def write_page(self, path: str | Path, title: str) -> None:
        """Write an HTML page to browse."""
        page = annotation_page(
            self.pictures, self.classes, self.palette, title, self.other_sizes
        )
        with atomic_file(path) as file:
            file.write(page.encode())

    def write_sheets(self, folder: Path) -> int:
        """Write contact sheets of 30 images each, and return their number."""
        folder.mkdir(parents=True, exist_ok=True)
        cells = [self._cell(*picture) for picture in self.pictures]
        per_sheet = _COLUMNS * _ROWS
        for number, start in enumerate(range(0, len(cells), per_sheet)):
            chosen = cells[start : start + per_sheet]
            rows = [chosen[i : i + _COLUMNS] for i in range(0, len(chosen), _COLUMNS)]
            sheet = image_grid(rows, legend=(self.classes, self.palette))
            write_image(folder / f'sheet_{number:03d}.jpg', sheet)
        return -(-len(cells) // per_sheet)

    def _cell(
        self, annotation: WeakAnnotation, image: np.ndarray
    ) -> tuple[str, np.ndarray]:
        layer = annotation_layer(
            annotation, self.classes, self.palette, image.shape[:2]
        )
        return annotation.image, draw_annotation(image, layer)
