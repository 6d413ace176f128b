"""What the test pipeline of a config does to an image before a network sees it."""

from collections.abc import Sequence

import mmcv
import numpy as np
from mmengine.config import Config
from mmseg.registry import TRANSFORMS

# Steps that leave the image as it is.
_OTHER_STEPS = ('Load', 'Pack', 'Collect')
_RESIZING = ('Resize', 'LimitSize')
# OpenCV resizes up to four channels at once.
_CHANNELS_AT_ONCE = 4


class TestResizing:
    """Resizes images, or parts of them, as a test pipeline resizes whole images.

    Args:
        cfg: The config.

    Raises:
        ValueError: The test pipeline changes images in another way.
    """

    __test__ = False  # the name is not one of a test

    def __init__(self, cfg: Config) -> None:
        # As the pipeline does, since numbers of 8 bits are rounded when resized.
        self.to_float32 = _loading(cfg).get('to_float32', False)
        self.steps = []
        for step in _test_pipeline(cfg):
            if step['type'].startswith(_OTHER_STEPS):
                continue
            if step['type'] not in _RESIZING:
                raise ValueError(
                    'the test pipeline may resize images by '
                    f'{" and ".join(_RESIZING)}, but this one has {step["type"]}: '
                    'take it out, or predict by '
                    '`mmseg-spml test`'
                )
            self.steps.append(TRANSFORMS.build(step))

    def seen(self, size: tuple[int, int]) -> tuple[int, int]:
        """Size (height, width) at which the model sees an image of a size."""
        shown = size
        for step in self.steps:
            empty = np.zeros(shown, np.uint8)
            results = dict(img=empty, img_shape=shown, ori_shape=size)
            shown = step(results)['img'].shape[:2]
        return shown[0], shown[1]

    def resized(
        self, image: np.ndarray, size: tuple[int, int], as_stored: bool = False
    ) -> np.ndarray:
        """Resize (H, W) or (H, W, channels) to (h, w, channels).

        Args:
            image: The image.
            size: The (h, w) of the result.
            as_stored: Whether to keep its type; else it becomes float32 first, if the
                pipeline loads images so.
        """
        if image.ndim == 2:
            image = image[..., None]
        if self.to_float32 and not as_stored:
            image = image.astype(np.float32)
        if image.shape[:2] == size:
            return image
        names = [getattr(step, 'interpolation', None) for step in self.steps]
        shrinks = size[0] < image.shape[0]
        how = next((name for name in names if name), 'area' if shrinks else 'bilinear')
        parts = [
            mmcv.imresize(
                np.ascontiguousarray(image[..., start : start + _CHANNELS_AT_ONCE]),
                size[::-1],
                interpolation=how,
            ).reshape(*size, -1)
            for start in range(0, image.shape[2], _CHANNELS_AT_ONCE)
        ]
        return np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]


def loading_step(cfg: Config) -> dict:
    """Return the step of the test pipeline that loads images, without conversion.

    Raises:
        ValueError: The config has no test pipeline with such a step.
    """
    # A float image takes four times the memory: tiles are converted one by one.
    return {k: v for k, v in _loading(cfg).items() if k != 'to_float32'}


def _loading(cfg: Config) -> dict:
    for step in _test_pipeline(cfg):
        if step['type'].startswith('Load') and 'Annotation' not in step['type']:
            return step
    raise ValueError(
        'test_dataloader.dataset.pipeline of the config has no step that loads images, '
        'such as LoadImageFromFile'
    )


def _test_pipeline(cfg: Config) -> Sequence[dict]:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    pipeline = dataset.get('pipeline') or cfg.get('test_pipeline')
    if not pipeline:
        raise ValueError('the config has no test_dataloader.dataset.pipeline')
    return pipeline
