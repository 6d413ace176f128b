"""Adaptation of a config of training to labeling the training images."""

from mmengine.config import Config

from mmseg_spml.datasets.pipelines import image_loading, step_of_type
from mmseg_spml.io.index_maps import check_output_folder


def label_training_images(cfg: Config, out: str, truth: str | None = None) -> None:
    """Have the test loop of a config write pseudo labels of the training images.

    Args:
        cfg: The config, which is changed in place. Its ``pseudo_labels`` has options
            of ``PseudoLabeler`` (``model``) and ``PseudoLabelWriter`` (``evaluator``).
        out: The folder for the label maps.
        truth: The folder of full masks to compare them with, if any.

    Raises:
        ValueError: ``out`` is the folder of the masks.
    """
    check_output_folder(out, [truth])
    settings = cfg.get('pseudo_labels', {})
    model, evaluator = (settings.get(part, {}) for part in ('model', 'evaluator'))
    cfg.model = dict(type='PseudoLabeler', module=cfg.model, **model)
    dataset = cfg.train_dataloader.dataset
    pipeline = dataset.get('pipeline', ())
    # A random half of the accepted areas is for training alone.
    weak = step_of_type(pipeline, 'LoadWeakAnnotations')
    loading = [*image_loading(pipeline), dict(weak, accepted_weight=1.0)]
    if model.get('source') == 'nearest_labels':
        loading.append(step_of_type(pipeline, 'LoadRegions'))
    if evaluator.get('keep_boxes'):
        complete = settings.get('boxes_complete')
        loading.append(dict(type='LoadBoxExtents', boxes_complete=complete))
    cfg.test_dataloader.dataset = dict(
        dataset,
        test_mode=True,
        pipeline=[*loading, dict(type='PackWeakSegInputs')],
    )
    cfg.test_evaluator = dict(
        type='PseudoLabelWriter', out_dir=out, truth=truth, **evaluator
    )
