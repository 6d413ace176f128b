"""Seed label maps of all images of a config, made in several processes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.datasets.list_files import check_own_files, samples_of
from mmseg_spml.datasets.seed_files import (
    SeedFile,
    SeedMaker,
    check_outputs,
    make_seed_file,
    strongest_activations,
)
from mmseg_spml.functional.seeds.cam import options_of_shares
from mmseg_spml.io.folders import make_output_folder
from mmseg_spml.io.index_maps import check_output_folder
from mmseg_spml.io.processes import spread
from mmseg_spml.io.progress import watched

# Images whose maps decide what the shares of pixels mean.
_MOST_IMAGES = 500


class SeedFolder:
    """The images of a data set and what makes their seeds.

    Args:
        dataset: The data set.
        maker: What makes the seeds of an image.
        shares: The shares of pixels to be labeled with a class and as background, by
            which the maker gets its options; None: it has them.

    Attributes:
        dataset: The data set.
        maker: What makes the seeds of an image.
        samples: The information on each image.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        maker: SeedMaker,
        shares: tuple[float, float] | None = None,
    ) -> None:
        self.dataset = dataset
        self.maker = maker
        self.shares = shares
        self.samples: Sequence[dict[str, Any]] = samples_of(dataset)

    @classmethod
    def of_config(cls, cfg: Config, cams: str | None = None) -> 'SeedFolder':
        """Take the images of ``test_dataloader`` and the options in ``seeds``.

        Args:
            cfg: The config.
            cams: The folder of activation maps, which all methods but GrabCut need.

        Raises:
            ValueError: The config has no ``seeds``, or a wrong option in it.
        """
        if 'seeds' not in cfg:
            raise ValueError(
                f'{cfg.filename} does not say how to make seeds: it needs '
                "seeds=dict(method='tags', ...), see configs/cam"
            )
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []})
        return cls(dataset, *maker_of(cfg.seeds, dataset.num_classes, cams))

    def make(
        self, out: str, *, truth: str | None = None, processes: int = 1
    ) -> list[SeedFile]:
        """Write the seeds of all images to a folder.

        Args:
            out: The folder for the label maps.
            truth: The folder of full masks to compare them with, if any.
            processes: The number of processes.

        Raises:
            ValueError: Two images would share a file, or ``out`` holds inputs.
            FileNotFoundError: A folder that the seeds need is missing.
            OSError: ``out`` cannot be written to.
        """
        check_outputs(self.samples, out)
        check_output_folder(out, [truth, self.maker.cams, self.maker.regions])
        self.maker.check()
        check_own_files(self.samples, self.maker.cams, '.npz', '.npy')
        check_own_files(self.samples, self.maker.regions, '.png')
        check_own_files(self.samples, truth, '.png')
        make_output_folder(out)
        self._choose_options(processes)
        work = partial(make_seed_file, maker=self.maker, out=out, truth=truth)
        done = spread(work, self.samples, processes)
        return list(watched(done, 'seeds', len(self.samples)))

    def _choose_options(self, processes: int) -> None:
        """Give the maker the options by which the shares of pixels are labeled."""
        if self.shares is None:
            return
        chosen = evenly_spread(self.samples, _MOST_IMAGES)
        work = partial(strongest_activations, maker=self.maker)
        values = watched(spread(work, chosen, processes), 'maps', len(chosen))
        strongest = np.concatenate([*values, np.empty(0)])
        if not strongest.size:
            return  # no image has a map, as each of them will say
        alpha, threshold = options_of_shares(strongest, *self.shares)
        self.maker = replace(self.maker, options=dict(alpha=alpha, threshold=threshold))


def maker_of(
    seeds: Mapping[str, Any], num_classes: int, cams: str | None = None
) -> tuple[SeedMaker, tuple[float, float] | None]:
    """Build what makes seeds from the ``seeds`` of a config.

    Args:
        seeds: The method, its options, or shares of pixels in their place.
        num_classes: C, including the background.
        cams: The folder of activation maps.

    Returns:
        The maker, and the shares of foreground and background, if there are any.

    Raises:
        ValueError: An option is wrong.
    """
    settings = dict(seeds)
    shares = _shares(settings)
    maker = SeedMaker(
        num_classes,
        method=settings.pop('method', 'tags'),
        cams=cams,
        regions=settings.pop('regions', None),
        boxes_complete=settings.pop('boxes_complete', None),
        max_side=settings.pop('max_side', None),
        options=settings,
    )
    return maker, shares


def _shares(settings: dict[str, Any]) -> tuple[float, float] | None:
    """Take the shares of pixels out of the settings of seeds, if they are there.

    Raises:
        ValueError: One of them is missing, they are no use, or out of range.
    """
    given = [settings.pop(name, None) for name in ('foreground', 'background')]
    if given == [None, None]:
        return None
    others = [name for name in ('alpha', 'threshold') if settings.get(name) is not None]
    if None in given or settings.get('method', 'tags') != 'tags' or others:
        raise ValueError(
            "seeds: the method 'tags' takes either alpha and threshold, or both "
            'foreground and background, the shares of pixels to be labeled; set what '
            f'is not wanted to None (got foreground={given[0]}, '
            f'background={given[1]}{"".join(f", {o}={settings[o]}" for o in others)})'
        )
    for name in ('alpha', 'threshold'):
        settings.pop(name, None)
    options_of_shares(np.zeros(1), *given)
    return given[0], given[1]
