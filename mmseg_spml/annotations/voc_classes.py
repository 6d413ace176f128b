"""Class names of PASCAL VOC, for formats that store its ids, and its colors."""

VOC_CLASSES = (
    'background',
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
)


def voc_palette(num_colors: int) -> list[list[int]]:
    """Color palette of the PASCAL VOC devkit.

    The bits 0, 3, 6, ... of an id are the highest bits of red; the bits 1, 4, 7, ...
    those of green; the bits 2, 5, 8, ... those of blue.

    Args:
        num_colors: Number of colors.

    Returns:
        list: [red, green, blue] for each id, 0..255.

    Example:
        >>> voc_palette(3)
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    palette = []
    for label in range(num_colors):
        color = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                color[channel] |= (label >> (3 * bit + channel) & 1) << (7 - bit)
        palette.append(color)
    return palette
