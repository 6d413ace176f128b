"""Region maps of all images of a folder, made in several processes."""

from functools import partial

from mmseg_spml.datasets.region_files import RegionFile, RegionMaker, make_region_file
from mmseg_spml.io.folders import make_output_folder
from mmseg_spml.io.image_folders import list_images
from mmseg_spml.io.index_maps import check_output_folder
from mmseg_spml.io.processes import spread
from mmseg_spml.io.progress import watched


def make_region_files(
    images: str, out: str, maker: RegionMaker, *, processes: int = 1
) -> list[RegionFile]:
    """Make ``out/<name>.png`` for every image; maps that are there are kept.

    Args:
        images: The folder of images, with subfolders.
        out: The folder of the region maps.
        maker: What makes the regions of an image.
        processes: The number of processes.

    Returns:
        What came of each image. Images that cannot be used have an error there.

    Raises:
        FileNotFoundError: There are no images.
        ValueError: Two images would share a map, or ``out`` holds the images.
        OSError: ``out`` cannot be written to.
        ImportError: The method needs a package that is not installed.
    """
    names = list_images(images)
    check_output_folder(out, [images, maker.contours, maker.masks])
    maker.check()
    make_output_folder(out)
    work = partial(make_region_file, images=images, out=out, maker=maker)
    done = spread(work, names, processes)
    return list(watched(done, maker.method, len(names)))
