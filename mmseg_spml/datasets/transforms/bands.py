"""Loading of images with any number of bands."""

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_spml.io.images import read_bands


@TRANSFORMS.register_module()
class LoadMultiBandImage(BaseTransform):
    """Load an image of any number of bands, of 8 or 16 bits or of floats.

    It takes the place of ``LoadImageFromFile`` in all pipelines. Files are ``.tif``
    (with the package ``tifffile``), ``.npy``, (H, W) or (H, W, bands), or any that
    OpenCV reads unchanged. The order of bands is that of the file, red first in photos:
    set ``bgr_to_rgb=False`` and the ``mean`` and ``std`` of each band in the data
    preprocessor, and ``in_channels`` in the backbone.

    Added keys: ``img`` ((H, W, bands)), ``img_shape`` and ``ori_shape``.

    Args:
        to_float32: Whether to convert the image to float32.
        bands: The numbers of the bands to keep, from 0. None: all.

    Raises:
        ValueError: At loading, if the file cannot be decoded or lacks a band.
        ImportError: At loading of a TIFF file without ``tifffile``.

    Example:
        >>> import tempfile
        >>> path = f'{tempfile.mkdtemp()}/a.npy'
        >>> np.save(path, np.zeros((2, 3, 5), np.uint16))
        >>> LoadMultiBandImage(bands=(0, 4))(dict(img_path=path))['img'].shape
        (2, 3, 2)
    """

    def __init__(
        self, to_float32: bool = False, bands: tuple[int, ...] | None = None
    ) -> None:
        self.to_float32 = to_float32
        self.bands = bands

    def transform(self, results: dict) -> dict:
        """Add the image to ``results``."""
        path = Path(results['img_path'])
        image = read_bands(path)
        if self.bands is not None:
            if max(self.bands) >= image.shape[2]:
                raise ValueError(
                    f'{path} has {image.shape[2]} bands, but bands={self.bands} asks '
                    f'for the number {max(self.bands)}'
                )
            image = np.ascontiguousarray(image[..., list(self.bands)])
        if self.to_float32:
            image = image.astype(np.float32)
        size = image.shape[:2]
        results.update(img=image, img_shape=size, ori_shape=size)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(to_float32={self.to_float32}, bands={self.bands})'
        )
