"""Tables of methods by kinds of weak labels, on small sets of photographs.

A cell of a table is a config under a few seeds; what is finished is kept and not run
again, so that a table can be filled in parts.
"""

import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence

from mmengine.config import Config

from .run_comparison import Cell, mean_and_spread, scores_by_run

FULL_MASKS = 'full masks'
_LABEL_DIR = 'train_dataloader.dataset.label_dir'
# By which the configs name other folders.
FOLDER_VARIABLES = ('CCP_ROOT', 'CCP_WEAK', 'CAMVID_ROOT', 'CAMVID_WEAK')


@dataclass(frozen=True)
class Method:
    """A row or two of a table.

    Attributes:
        config: Its config file for the table's default labels.
        predictors: Name of the row for each predictor of its model.
        own: Its config files for labels that need one of their own.
    """

    config: str
    predictors: Dict[str, str]
    own: Dict[str, str]


@dataclass(frozen=True)
class MethodTable:
    """What a table has to show.

    Attributes:
        title: Of the data set.
        weak_root: Folder of the weak labels, below which each kind has one.
        labels: Column by folder; the first is what the configs have by default.
        methods: Rows, but for full masks.
        full: Text of a line below the table by config on full masks; the first is the
            reference of every column that has none of its own.
        own_full: Reference, a key of ``full``, by label, where the classes of a column
            are others.
    """

    title: str
    weak_root: str
    labels: Dict[str, str]
    methods: Sequence[Method]
    full: Dict[str, str]
    own_full: Dict[str, str] = field(default_factory=dict)

    def cells(
        self, labels: Optional[Sequence[str]], seeds: Sequence[int]
    ) -> List[Cell]:
        """All runs of some columns (None: all), one seed after the other.

        Raises:
            ValueError: If a column is unknown.
        """
        known = [*self.labels, FULL_MASKS]
        for name in labels or ():
            if name not in known:
                raise ValueError(f'labels must be among {known}, got {name!r}')
        chosen = [name for name in known if labels is None or name in labels]
        return [
            cell
            for seed in seeds
            for label in chosen
            for cell in self._column(label, seed)
        ]

    def _column(self, label: str, seed: int) -> Iterator[Cell]:
        if label == FULL_MASKS:
            of_columns = set(self.own_full.values())
            yield from (Cell(c, seed) for c in self.full if c not in of_columns)
            return
        yield from (self._cell(method, label, seed) for method in self.methods)
        if label in self.own_full:
            yield Cell(self.own_full[label], seed)

    def _cell(self, method: Method, label: str, seed: int) -> Cell:
        if label in method.own:
            return Cell(method.own[label], seed)
        if label == next(iter(self.labels)):
            return Cell(method.config, seed)
        folder = f'{self.weak_root}/{label}'
        return Cell(method.config, seed, (f'{_LABEL_DIR}={folder}',))

    def format(self, results: Sequence[dict]) -> str:
        """The table in Markdown, of the result files that there are.

        Args:
            results: Contents of result files.

        Returns:
            Mean and sample standard deviation of mIoU over the seeds; how many if not
            three; in brackets the part of full masks, in percent, where every class was
            learnt from those.
        """
        found = scores_by_run(results)

        def scores(cell: Cell, predictor: str) -> List[float]:
            run = found.get((cell.config, tuple(cell.options)), {})
            return list(run.get(predictor, {}).values())

        full = {config: scores(Cell(config, 0), 'softmax') for config in self.full}
        learnt = [config for config in self.full if _all_learnt(config, results)]
        default = next(iter(self.full))
        lines = [
            '| ' + ' | '.join(['', *self.labels.values()]) + ' |',
            '|---' * (len(self.labels) + 1) + '|',
        ]
        for method in self.methods:
            for predictor, row in method.predictors.items():
                texts = []
                for label in self.labels:
                    cell = self._cell(method, label, 0)
                    of_label = self.own_full.get(label, default)
                    reference = full[of_label] if of_label in learnt else []
                    texts.append(_text(scores(cell, predictor), reference))
                lines.append('| ' + ' | '.join([row, *texts]) + ' |')
        for config, line in self.full.items():
            lines += ['', f'{line}: {_text(full[config], [])}']
        return '\n'.join(lines)


def _all_learnt(config: str, results: Sequence[dict]) -> bool:
    """Whether no class was given up (an IoU below 1) under any seed."""
    of_classes = [
        result.get('IoU', {}).get('softmax', {})
        for result in results
        if result['config'] == config
    ]
    return all(found and min(found.values()) >= 1 for found in of_classes)


def _text(scores: Sequence[float], full: Sequence[float]) -> str:
    if not scores:
        return '–'
    text = mean_and_spread(scores)
    if full:
        text += f' ({100 * statistics.mean(scores) / statistics.mean(full):.0f} %)'
    if len(scores) != 3:
        text += f', {len(scores)} seed' + 's' * (len(scores) > 1)
    return text


def missing_labels(cells: Sequence[Cell]) -> List[Path]:
    """Folders of labels that cells need and that are not there."""
    folders = set()
    for cell in cells:
        cfg = Config.fromfile(cell.config)
        cfg.merge_from_dict(dict(option.split('=', 1) for option in cell.options))
        folders.add(Path(cfg.train_dataloader.dataset.label_dir))
    return sorted(folder for folder in folders if not folder.is_dir())


def _methods(data: str, own: Dict[str, Dict[str, str]]) -> List[Method]:
    """The rows of a data set; ``own`` has configs by method and labels."""
    spml = f'configs/spml/efficientnet_lite0_{data}_scribbles'
    rivals = f'configs/baselines/efficientnet_lite0_{data}'
    rows = [
        ('ce', f'{spml}_ce.py', {'softmax': 'cross-entropy'}),
        ('dense_crf', f'{rivals}_dense_crf.py', {'softmax': 'DenseCRF loss'}),
        ('gated_crf', f'{rivals}_gated_crf.py', {'softmax': 'gated CRF loss'}),
        ('tree_energy', f'{rivals}_tree_energy.py', {'softmax': 'tree energy loss'}),
        (
            'spml',
            f'{spml}.py',
            {'softmax': 'SPML, softmax', 'retrieval': 'SPML, retrieval'},
        ),
    ]
    return [
        Method(config, predictors, own.get(name, {}))
        for name, config, predictors in rows
    ]


_VARYING_FULL = 'configs/spml/efficientnet_lite0_ccp_varying_full_long_weighted_ce.py'
_TAG_RIVALS = 'configs/baselines/efficientnet_lite0_ccp_tags'

TABLES = {
    'ccp': MethodTable(
        title='Clothing Co-Parsing',
        weak_root='data/ccp_weak',
        labels={
            'scribbles': 'scribbles',
            'scribbles_50': 'half of each scribble',
            'scribbles_10': 'a tenth',
            'points': 'points',
            'boxes': 'boxes (GrabCut)',
            'tags': 'tags (7 classes)',
        },
        methods=_methods(
            'ccp',
            {
                'ce': {
                    'points': 'configs/spml/efficientnet_lite0_ccp_points_ce.py',
                    'tags': 'configs/spml/efficientnet_lite0_ccp_tags_ce.py',
                },
                'spml': {
                    'points': 'configs/spml/efficientnet_lite0_ccp_points.py',
                    'tags': 'configs/spml/efficientnet_lite0_ccp_tags.py',
                },
                **{
                    name: {'tags': f'{_TAG_RIVALS}_{name}.py'}
                    for name in ('dense_crf', 'gated_crf', 'tree_energy')
                },
            },
        ),
        full={
            'configs/spml/efficientnet_lite0_ccp_full_long_ce.py': (
                'Full masks, cross-entropy, three times as long'
            ),
            _VARYING_FULL: (
                'Full masks of the 7 classes of tags, cross-entropy, three times as '
                'long, classes weighted'
            ),
        },
        own_full={'tags': _VARYING_FULL},
    ),
    'camvid': MethodTable(
        title='CamVid',
        weak_root='data/camvid_weak',
        labels={
            'scribbles': 'scribbles',
            'scribbles_50': 'half of each scribble',
            'scribbles_10': 'a tenth',
            'points': 'points',
        },
        methods=_methods('camvid', {}),
        full={
            'configs/spml/efficientnet_lite0_camvid_full_long_ce.py': (
                'Full masks, cross-entropy, three times as long'
            )
        },
    ),
}
