"""Construction of the bank of labeled segments for retrieval."""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import (
    all_gather_object,
    barrier,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.utils import ProgressBar
from torch import Tensor
from torch.utils.data import DataLoader

from mmseg_spml.datasets.pipelines import step_of_type
from mmseg_spml.models.decode_heads.segment_bank import SegmentBank
from mmseg_spml.models.segmentors.prediction import SPMLPrediction

Parts = list[tuple[Tensor, Tensor]]


def training_images(cfg: Config, original_size: bool = False) -> dict:
    """Dataloader config for the training images with the validation pipeline.

    Falls back to the test loader if there is no validation loader.

    Args:
        cfg: Config of a run.
        original_size: Whether to drop ``Resize`` transforms from the pipeline.

    Raises:
        ValueError: If the config has neither loader, or the pipeline of the loader uses
            test-time augmentation.
    """
    dataloader = cfg.get('val_dataloader') or cfg.get('test_dataloader')
    augmented = dataloader is not None and any(
        step['type'] == 'TestTimeAug' for step in dataloader.dataset.pipeline
    )
    if dataloader is None or augmented:
        raise ValueError(
            'a bank is built of training images as val_dataloader loads images, but '
            'the config has none: give it one, or SegmentBankHook a `dataloader`'
        )
    dataloader = copy.deepcopy(dataloader)
    training = cfg.train_dataloader.dataset.get('pipeline', ())
    weak = step_of_type(training, 'LoadWeakAnnotations')
    # Unlabeled pixels belong to segments.
    dropped = {'UnlabeledToVoid', 'Resize' if original_size else None}
    steps = [s for s in dataloader.dataset.pipeline if s['type'] not in dropped]
    # At the size of LimitSize labels are drawn, so that no click falls between pixels.
    after_resize = any(step['type'] == 'Resize' for step in steps)
    weak.update(after_resize=after_resize, accepted_weight=1.0)
    loads = ('LoadAnnotations', 'LoadWeakAnnotations')
    pipeline = [weak if step['type'] in loads else step for step in steps]
    # round_up would repeat images if the images do not divide evenly among the ranks.
    dataloader.sampler = dict(type='DefaultSampler', shuffle=False, round_up=False)
    dataloader.dataset = copy.deepcopy(cfg.train_dataloader.dataset)
    dataloader.dataset.update(pipeline=pipeline, test_mode=True)
    return dataloader


@torch.no_grad()
def build_bank(
    model: SPMLPrediction,
    dataloader: DataLoader,
    *,
    scales: Sequence[float] = (1.0,),
    origin: str = 'weak labels',
    file: str | Path | None = None,
    append: bool = False,
) -> SegmentBank:
    """Build a bank of the labeled segments of a data set, identical on all ranks.

    Args:
        model: Segmentor with an ``SPMLHead``.
        dataloader: Batches of images with weak labels, sharded over the ranks.
        scales: Scale factors of the images; the bank has the segments of all scales.
        origin: Source of the labels; see :class:`SegmentBank`.
        file: File ``.safetensors`` to write the bank to. The ranks write their parts
            next to it, the first rank joins them, and all ranks map the joined file
            into memory. None: the ranks exchange copies.
        append: Whether to append to the bank in the file.

    Raises:
        FileNotFoundError: If ``append`` is set and the file does not exist.
        ValueError: If ``append`` is set without ``file``, or the file is not a bank or
            does not fit.
    """
    if append:
        if file is None:
            raise ValueError('append=True needs the file of the bank')
        SegmentBank.load(file).check_fit(origin, model.embedding_dim)
    model.eval()
    parts: Parts = []
    bar = ProgressBar(len(dataloader)) if is_main_process() else None
    for data in dataloader:
        data = model.data_preprocessor(data, False)
        for scale in scales:
            prototypes, labels = model.labeled_segments(**data, scale=scale)
            parts.append((prototypes.cpu(), labels.cpu()))
        if bar:
            bar.update()
    if file is None:
        gathered = [part for rank in all_gather_object(parts) for part in rank]
        bank = SegmentBank.from_parts(gathered, origin)
    else:
        _write(parts, Path(file), origin, append)
        bank = SegmentBank.load(file)
    return bank.to(next(model.parameters()).device)


def _write(parts: Parts, file: Path, origin: str, append: bool) -> None:
    """Move ``parts`` to the file; several ranks write a part each, which are joined."""
    if get_world_size() == 1:
        bank = SegmentBank.from_parts(parts, origin)
        parts.clear()
        bank.save(file, append)
        return
    shares = [file.with_name(f'{file.name}.{n}') for n in range(get_world_size())]
    own = shares[get_rank()]
    filled = sum(len(labels) for _, labels in parts) > 0
    if filled:
        SegmentBank.from_parts(parts, origin).save(own)
        parts.clear()
    # Ask the ranks, because files of other machines may become visible with a delay.
    present = [s for s, there in zip(shares, all_gather_object(filled)) if there]
    try:
        if is_main_process():
            banks = [SegmentBank.load(share) for share in present]
            whole = SegmentBank.join(banks) if banks else SegmentBank.from_parts([])
            whole.save(file, append)
    finally:
        # Reach the barrier even after an error, so that other ranks do not hang.
        barrier()
        own.unlink(missing_ok=True)
