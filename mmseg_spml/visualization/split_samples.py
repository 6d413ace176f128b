"""Pictures of what a model makes of the images of a split."""

import copy

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmseg.registry import DATASETS

from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.io.progress import watched
from mmseg_spml.visualization.samples import (
    loading_pipeline,
    read_truth,
    sample_grid,
    sample_images,
)


def unaugmented(cfg: Config, split: str = 'train') -> BaseDataset:
    """Build the data set of a split with the loading part of the training pipeline.

    Raises:
        ValueError: The config has no images for the split.
    """
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise ValueError(f'the config has no {split}_dataloader: choose another split')
    dataset = copy.deepcopy(loader['dataset'])
    pipeline = cfg['train_dataloader']['dataset']['pipeline']
    dataset['pipeline'] = loading_pipeline(pipeline)
    dataset['test_mode'] = False
    return DATASETS.build(dataset)


def without_regions(cfg: Config) -> BaseDataset:
    """Build the training set as :func:`unaugmented` does, without region maps.

    Making them may take long where they do not matter.
    """
    cfg = copy.deepcopy(cfg)
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = [s for s in dataset.pipeline if s['type'] != 'LoadRegions']
    return unaugmented(cfg)


def draw_split(
    model: BaseModel,
    cfg: Config,
    split: str,
    num: int,
    *,
    truth_dir: str | None = None,
    height: int = 192,
) -> np.ndarray:
    """Draw images with their weak labels, segments, embedding and prediction.

    Args:
        model: The model, in evaluation mode.
        cfg: The config of the model.
        split: ``'train'`` or ``'val'``.
        num: The number of images, spread evenly over the split.
        truth_dir: The folder of full masks, if there is one; see :func:`read_truth`.
        height: The height of each image in pixels.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        FileNotFoundError: The mask of an image is missing.
        ValueError: A mask has another size than its image.
    """
    dataset = unaugmented(cfg, split)
    samples = []
    for index in watched(evenly_spread(range(len(dataset)), num), 'drawing'):
        item = dataset[index]
        sample = item['data_samples']
        truth = None
        if truth_dir:
            truth = read_truth(truth_dir, sample.img_path, sample.ori_shape)
        samples.append(sample_images(model, item['inputs'], sample, truth))
    meta = dataset.metainfo
    return sample_grid(samples, meta['classes'], meta['palette'], height=height)
