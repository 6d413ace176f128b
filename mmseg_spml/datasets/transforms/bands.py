"""Loading of images with any number of bands."""

from collections.abc import Sequence
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
        fill: What takes the place of NaN and infinity, such as where a map has no data:
            a number, or one for each band. A loss of such values would be NaN.

    Raises:
        FileNotFoundError: At loading, if there is no such file.
        ValueError: At loading, if the file cannot be decoded, lacks a band, or has
            values that are not finite, without ``fill``.
        ImportError: At loading of a TIFF file without ``tifffile``.

    Example:
        >>> import tempfile
        >>> path = f'{tempfile.mkdtemp()}/a.npy'
        >>> np.save(path, np.zeros((2, 3, 5), np.uint16))
        >>> LoadMultiBandImage(bands=(0, 4))(dict(img_path=path))['img'].shape
        (2, 3, 2)
    """

    def __init__(
        self,
        to_float32: bool = False,
        bands: tuple[int, ...] | None = None,
        fill: float | Sequence[float] | None = None,
    ) -> None:
        self.to_float32 = to_float32
        self.bands = bands
        self.fill = fill

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
        image = self._filled(image, path)
        if self.to_float32:
            image = image.astype(np.float32)
        size = image.shape[:2]
        results.update(img=image, img_shape=size, ori_shape=size)
        return results

    def _filled(self, image: np.ndarray, path: Path) -> np.ndarray:
        if image.dtype.kind != 'f':
            return image
        known = np.isfinite(image)
        if known.all():
            return image
        if self.fill is None:
            raise ValueError(
                f'{path} has {(~known).sum()} values that are not finite: give '
                f'{type(self).__name__} what takes their place, fill=0.0 or a number '
                'for each band'
            )
        return np.where(known, image, np.asarray(self.fill, image.dtype))

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(to_float32={self.to_float32}, bands={self.bands}, '
            f'fill={self.fill})'
        )
