"""Adaptation of configs to what a test should show, augment and write."""

import copy
import os
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner

from mmseg_spml.datasets.list_files import name_of_maps, samples_of
from mmseg_spml.datasets.pipelines import IMAGE_LOADING
from mmseg_spml.datasets.seed_files import check_outputs
from mmseg_spml.evaluation.label_map_writer import LabelMapWriter
from mmseg_spml.io.folders import make_output_folder
from mmseg_spml.io.index_maps import check_output_folder

_TILE = 1024
# Transforms that load what predictions are scored by.
_LABELS = ('LoadAnnotations', 'LoadWeakAnnotations', 'UnlabeledToVoid')


def use_validation_images(cfg: Config) -> None:
    """Have a test score the validation images as a training does.

    Args:
        cfg: The config, which is changed in place.

    Raises:
        ValueError: The config has no validation images.
    """
    if not cfg.get('val_dataloader') or not cfg.get('val_evaluator'):
        raise ValueError(
            '--split val: the config has no val_dataloader; a project has one only if '
            'images are held out'
        )
    # Copies: a test changes its pipeline, and banks are built by that of validation.
    cfg.test_dataloader = copy.deepcopy(cfg.val_dataloader)
    cfg.test_evaluator = copy.deepcopy(cfg.val_evaluator)
    if not cfg.get('test_cfg'):
        cfg.test_cfg = dict(type='TestLoop')


def loads_masks(cfg: Config) -> bool:
    """Whether the test pipeline of a config loads a mask for each image.

    Raises:
        ValueError: The config has no test images.
    """
    if not cfg.get('test_dataloader'):
        raise ValueError(
            'the config has no test_dataloader: test the validation images by '
            '--split val'
        )
    pipeline = cfg.test_dataloader.dataset.get('pipeline', ())
    return any(step['type'] == 'LoadAnnotations' for step in pipeline)


def check_masks(dataset: BaseDataset) -> None:
    """Check that images name the masks by which predictions are scored.

    Raises:
        ValueError: The first image names none.
    """
    if len(dataset) and dataset.get_data_info(0).get('seg_map_path') is None:
        raise ValueError(
            'the test images of the config have no masks, by which predictions are '
            'scored: test the validation images, if there are any, by --split val, or '
            'write predictions by `mmseg-spml predict`'
        )


def draw_predictions(
    cfg: Config, *, show: bool, show_dir: str | None, wait_time: float
) -> None:
    """Have the visualization hook show or save the predictions.

    Args:
        cfg: The config, which is changed in place.
        show: Whether to show them on the screen.
        show_dir: The folder to save them to, if any.
        wait_time: The time in seconds to show each.

    Raises:
        ValueError: The config has no such hook.
    """
    hook = cfg.default_hooks.get('visualization')
    if hook is None:
        raise ValueError(
            '--show and --show-dir need default_hooks.visualization='
            "dict(type='SegVisualizationHook') in the config"
        )
    hook.update(draw=True, interval=1, show=show, wait_time=wait_time)
    if show_dir:
        cfg.visualizer.save_dir = show_dir


def use_tta(cfg: Config, views: bool, crf: bool) -> None:
    """Wrap the model and the pipeline for test-time augmentation.

    Args:
        cfg: The config, which is changed in place.
        views: Whether to use the views of ``cfg.tta_pipeline``; otherwise the test
            pipeline gives a single view.
        crf: Whether a dense CRF refines the predictions.

    Raises:
        ValueError: ``views`` is set, and the config has no ``tta_pipeline`` or
            ``tta_model``.
    """
    use_tiles(cfg, 0)  # tiles have no logits, which views are merged by
    if views and ('tta_pipeline' not in cfg or 'tta_model' not in cfg):
        raise ValueError('--tta needs `tta_pipeline` and `tta_model` in the config')
    dataset = cfg.test_dataloader.dataset
    if views:
        # How images are loaded, and their working size, are those of the test pipeline.
        loading = [step for step in dataset.pipeline if step['type'] in IMAGE_LOADING]
        if loading:
            views_of = [s for s in cfg.tta_pipeline if s['type'] not in IMAGE_LOADING]
            labels = [step for step in dataset.pipeline if step['type'] in _LABELS]
            dataset.pipeline = [*loading, *_with_labels(views_of, labels)]
        else:
            dataset.pipeline = cfg.tta_pipeline
    else:
        steps = [[step] for step in dataset.pipeline]
        dataset.pipeline = [dict(type='TestTimeAug', transforms=steps)]
    if crf:
        options = cfg.get('tta_model', {}).get('crf')
        cfg.tta_model = dict(type='SPMLTTAModel', crf=options or {})
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model


def _with_labels(pipeline: Sequence[dict], labels: Sequence[dict]) -> list[dict]:
    """Replace the step of a TTA pipeline that loads masks by steps for other labels."""
    changed = []
    for step in copy.deepcopy([*pipeline]):
        if step['type'] == 'TestTimeAug':
            groups = []
            for group in step['transforms']:
                masks = [one['type'] for one in group] == ['LoadAnnotations']
                groups += [[label] for label in labels] if masks and labels else [group]
            step['transforms'] = groups
        changed.append(step)
    return changed


def use_tiles(cfg: Config, tile: int | None) -> None:
    """Have a segmentor of this package test large images in tiles.

    Args:
        cfg: The config, which is changed in place.
        tile: The side of a tile in pixels; 0 for none, and None for that of the config,
            or else 1024.
    """
    given = cfg.model.get('test_cfg') or {}
    if tile is None:
        tile = given.get('tile', _TILE)
    cfg.model.test_cfg = dict(given, tile=tile)


def write_label_maps(cfg: Config, folder: str) -> None:
    """Add the evaluator that writes the predicted label maps to a folder.

    Raises:
        ValueError: The folder has images or maps that are read.
    """
    dataset = cfg.test_dataloader.dataset
    read = [*dataset.get('data_prefix', {}).values()]
    read += [dataset.get(name) for name in ('label_dir', 'region_dir')]
    root = dataset.get('data_root') or ''
    check_output_folder(folder, [os.path.join(root, path) for path in read if path])
    writer = dict(type='LabelMapWriter', out_dir=folder)
    cfg.test_evaluator = [*_evaluators(cfg), writer]


def name_label_maps(runner: Runner, folder: str) -> None:
    """Name the label maps that a run writes by the images of its data set.

    Args:
        runner: The runner of a config that :func:`write_label_maps` has changed.
        folder: The folder of the maps.

    Raises:
        ValueError: Two images would share a map, or the folder has images or masks.
        OSError: The folder cannot be written to.
    """
    samples = samples_of(runner.test_dataloader.dataset)
    check_outputs(samples, folder)
    make_output_folder(folder)
    for metric in runner.test_evaluator.metrics:
        if isinstance(metric, LabelMapWriter):
            metric.names = {one['img_path']: name_of_maps(one) for one in samples}


def write_report(cfg: Config, folder: str) -> None:
    """Add the evaluator that writes a report to a folder."""
    report = dict(type='PredictionReport', out_dir=folder)
    cfg.test_evaluator = [*_evaluators(cfg), report]


def _evaluators(cfg: Config) -> list:
    """Return the metrics of a config, which names one or a list, as a list."""
    found = cfg.test_evaluator
    return list(found) if isinstance(found, (list, tuple)) else [found]
