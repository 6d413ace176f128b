"""Hook that makes the region maps of a training set before training."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
from mmengine.dist import all_gather_object, get_dist_info, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader, Dataset

from mmseg_spml.datasets.transforms.limit_size import LimitSize
from mmseg_spml.datasets.transforms.loading import LoadRegions
from mmseg_spml.io.progress import watched

# After so many seconds the log tells how long the rest will take.
_SECONDS_TO_ESTIMATE = 5.0


@HOOKS.register_module()
class MakeRegionsHook(Hook):
    """Makes the region maps that ``LoadRegions`` would make while training.

    All images of the training set without a region map get one in the ``cache_dir`` of
    their ``LoadRegions(generate=...)``, once: maps of the same image and options are
    kept, also between trainings. The ranks share the images, and each uses as many
    processes as its data loader has workers.

    Raises:
        ValueError: Before training, if images cannot be used; all of them are named,
            and the maps of the others are made.
    """

    priority = 'VERY_LOW'  # after hooks that change the data set

    def before_train(self, runner: Runner) -> None:
        """Make the missing maps."""
        jobs = RegionJobs(runner.train_dataloader.dataset)
        if not len(jobs):
            return
        rank, world_size = get_dist_info()
        mine = range(rank, len(jobs), world_size)
        errors = self._make(runner, jobs, mine)
        failed = [e for part in all_gather_object(errors) for e in part if e]
        if failed:
            raise ValueError(
                f'{len(failed)} training images have no region map:\n'
                + '\n'.join(failed)
            )

    def _make(
        self, runner: Runner, jobs: 'RegionJobs', indices: Sequence[int]
    ) -> list[str]:
        """Make the maps of some images; return an error or '' for each."""
        loader = DataLoader(
            jobs,
            batch_size=None,
            sampler=indices,
            num_workers=runner.train_dataloader.num_workers,
        )
        start, errors, made, told = time.time(), [], 0, False
        results: Iterable[tuple[str, bool]] = loader
        if is_main_process():
            results = watched(loader, 'region maps', len(indices))
        for error, new in results:
            errors.append(error)
            made += new
            passed = time.time() - start
            if not told and passed > _SECONDS_TO_ESTIMATE:
                left = passed / len(errors) * (len(indices) - len(errors))
                runner.logger.info(
                    f'making region maps in {jobs.folders}: {len(errors)} of '
                    f'{len(indices)} are there, the rest takes about {left:.0f} s'
                )
                told = True
        if made:
            runner.logger.info(
                f'{made} region maps made in {time.time() - start:.0f} s, in '
                f'{jobs.folders}'
            )
        return errors


class RegionJobs(Dataset):
    """The images of a data set whose region maps are made from them.

    An item makes a map unless it is there: a tuple of an error message, which is empty
    if there is none, and whether the map was made.

    Args:
        dataset: A data set, or one that wraps or joins data sets.
    """

    def __init__(self, dataset: Any) -> None:
        self._jobs = []
        for part in _parts(dataset):
            steps = getattr(getattr(part, 'pipeline', None), 'transforms', ())
            loaders = [step for step in steps if isinstance(step, LoadRegions)]
            if not loaders or loaders[0].maker is None or loaders[0].cache_dir is None:
                continue
            for index in range(len(part)):
                if part.get_data_info(index).get('region_map_path') is None:
                    self._jobs.append((part, index, loaders[0]))

    @property
    def folders(self) -> str:
        """The folders of the maps."""
        return ', '.join(dict.fromkeys(str(job[2].cache_dir) for job in self._jobs))

    def __len__(self) -> int:
        """Number of images."""
        return len(self._jobs)

    def __getitem__(self, place: int) -> tuple[str, bool]:
        """Make one map."""
        dataset, index, loader = self._jobs[place]
        info = dataset.get_data_info(index)
        try:
            _, made = loader.make_file(_load_image(dataset, info))
        # MMCV asserts that it could decode an image.
        except (ValueError, OSError, MemoryError, cv2.error, AssertionError) as error:
            return f'{info.get("img_path")}: {" ".join(str(error).split())}', False
        return '', made


def _load_image(dataset: Any, info: dict) -> Any:
    """Apply the transforms of a data set that load the image and limit its size."""
    for step in dataset.pipeline.transforms:
        if 'img' not in info or isinstance(step, LimitSize):
            info = step(info)
        if isinstance(step, LoadRegions):
            break
    if 'img' not in info:
        raise ValueError('no transform before LoadRegions loads an image')
    return info['img']


def _parts(dataset: Any) -> Iterator[Any]:
    """Data sets that a data set wraps or joins, or itself."""
    if hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from _parts(part)
    elif hasattr(dataset, 'dataset'):
        yield from _parts(dataset.dataset)
    else:
        yield dataset
