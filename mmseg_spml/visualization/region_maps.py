"""Pictures of the regions of images."""

from collections.abc import Sequence
from pathlib import Path

from mmseg_spml.io.images import read_image, write_image
from mmseg_spml.io.index_maps import read_index_map
from mmseg_spml.visualization.image_grid import image_grid
from mmseg_spml.visualization.label_maps import draw_segment_outlines

_COLUMNS = 4


def draw_region_maps(
    names: Sequence[str], images: str | Path, regions: str | Path, out: str | Path
) -> None:
    """Draw a grid of images with the outlines and the number of their regions.

    Args:
        names: The names of the images below ``images``.
        images: The folder of the images.
        regions: The folder of the region maps.
        out: The picture to write.
    """
    cells = []
    for name in names:
        image = read_image(Path(images, name))
        region_map = read_index_map(str(Path(regions, name).with_suffix('.png')))
        title = f'{name}: {int(region_map.max()) + 1}'
        cells.append((title, draw_segment_outlines(image, region_map)))
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    write_image(out, image_grid(rows))
