"""Seed label maps of all images of a config, made in several processes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmseg_spml.datasets.seed_files import (
    SeedFile,
    SeedMaker,
    check_outputs,
    make_seed_file,
)
from mmseg_spml.io.index_maps import check_output_folder
from mmseg_spml.io.processes import spread
from mmseg_spml.io.progress import watched


class SeedFolder:
    """The images of a data set and what makes their seeds.

    Attributes:
        dataset: The data set.
        maker: What makes the seeds of an image.
        samples: The information on each image.
    """

    def __init__(self, dataset: BaseDataset, maker: SeedMaker) -> None:
        self.dataset = dataset
        self.maker = maker
        self.samples: Sequence[dict[str, Any]] = [
            dataset.get_data_info(index) for index in range(len(dataset))
        ]

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
        settings = dict(cfg.seeds)
        maker = SeedMaker(
            dataset.num_classes,
            method=settings.pop('method', 'tags'),
            cams=cams,
            regions=settings.pop('regions', None),
            boxes_complete=settings.pop('boxes_complete', None),
            max_side=settings.pop('max_side', None),
            options=settings,
        )
        return cls(dataset, maker)

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
        """
        check_outputs(self.samples, out)
        check_output_folder(out, [truth, self.maker.cams, self.maker.regions])
        self.maker.check()
        work = partial(make_seed_file, maker=self.maker, out=out, truth=truth)
        done = spread(work, self.samples, processes)
        return list(watched(done, 'seeds', len(self.samples)))
