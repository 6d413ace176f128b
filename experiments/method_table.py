"""Tables of methods by kinds of weak labels on small sets of photographs.

A cell of a table is a config under a few seeds. Finished runs are kept and not
repeated, so that a table can be filled in parts.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from experiments.result_tables import mean_and_spread, scores_by_run
from experiments.run_comparison import Cell

FULL_MASKS = 'full masks'
_SPML = 'experiments/configs/spml/efficientnet_lite0'
_BASELINES = 'experiments/configs/baselines/efficientnet_lite0'
_PROPAGATION = 'experiments/configs/propagation/efficientnet_lite0'
_LABEL_DIR = 'train_dataloader.dataset.label_dir'
# Environment variables by which the configs find data in other folders.
FOLDER_VARIABLES = (
    'CCP_ROOT',
    'CCP_WEAK',
    'CAMVID_ROOT',
    'CAMVID_WEAK',
    'VOC_ROOT',
    'VOC_WEAK',
    'ACDC_ROOT',
    'ACDC_WEAK',
)


@dataclass(frozen=True)
class Method:
    """A method, which has one row of a table for each predictor of its model.

    Attributes:
        config: The config file for the default labels of the table.
        predictors: The name of the row of each predictor.
        own: The config files for labels that need a config of their own.
    """

    config: str
    predictors: dict[str, str]
    own: dict[str, str]


@dataclass(frozen=True)
class MethodTable:
    """A table of methods (rows) by weak labels (columns).

    Attributes:
        title: The title of the data set.
        weak_root: The folder of the weak labels, with a folder for each kind.
        labels: The title of each column by the name of the folder of its labels. The
            configs have the first folder by default.
        configs_of: The column whose configs are those of a column, too.
        methods: The methods on weak labels, which make the rows.
        full: The text of a line below the table for each config on full masks. The
            first config is the reference of every column without a reference of its
            own.
        own_full: The reference, a key of ``full``, of each column that has other
            classes.
        options: The ``--cfg-options`` of all runs.
        measure: The score in the cells.
    """

    title: str
    weak_root: str
    labels: dict[str, str]
    methods: Sequence[Method]
    full: dict[str, str]
    configs_of: dict[str, str] = field(default_factory=dict)
    own_full: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    measure: str = 'mIoU'

    def cells(self, labels: Sequence[str] | None, seeds: Sequence[int]) -> list[Cell]:
        """List all runs of some columns (None: all), one seed after the other.

        Raises:
            ValueError: A column is unknown.
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
            yield from (
                Cell(config, seed, self.options)
                for config in self.full
                if config not in of_columns
            )
            return
        yield from (self._cell(method, label, seed) for method in self.methods)
        if label in self.own_full:
            yield Cell(self.own_full[label], seed, self.options)

    def _cell(self, method: Method, label: str, seed: int) -> Cell:
        if label in method.own:
            return Cell(method.own[label], seed, self.options)
        if label == next(iter(self.labels)):
            return Cell(method.config, seed, self.options)
        config = method.own.get(self.configs_of.get(label, label), method.config)
        folder = f'{self.weak_root}/{label}'
        return Cell(config, seed, (*self.options, f'{_LABEL_DIR}={folder}'))

    def format(self, results: Sequence[dict]) -> str:
        """Format the table of the existing results in Markdown.

        Each cell has the mean and the sample standard deviation over the seeds,
        and the number of seeds if there are not three. The percentage in brackets is
        relative to full masks; it is left out where a class was not learned from them.

        Args:
            results: The contents of result files.
        """
        found = scores_by_run(results, self.measure)

        def scores(cell: Cell, predictor: str) -> list[float]:
            run = found.get((cell.config, tuple(cell.options)), {})
            return list(run.get(predictor, {}).values())

        full = {
            config: scores(Cell(config, 0, self.options), 'softmax')
            for config in self.full
        }
        learned = [c for c in self.full if _all_learned(c, self.options, results)]
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
                    reference = full[of_label] if of_label in learned else []
                    texts.append(_text(scores(cell, predictor), reference))
                lines.append('| ' + ' | '.join([row, *texts]) + ' |')
        for config, line in self.full.items():
            lines += ['', f'{line}: {_text(full[config], [])}']
        return '\n'.join(lines)


def _all_learned(config: str, options: Sequence[str], results: Sequence[dict]) -> bool:
    """Whether every class was learned (an IoU of 1 or more) under every seed."""
    of_classes = [
        result.get('IoU', {}).get('softmax', {})
        for result in results
        if (result['config'], result['options']) == (config, list(options))
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


def missing_labels(cells: Sequence[Cell]) -> list[Path]:
    """List the folders of labels that cells need and that do not exist."""
    folders = set()
    for cell in cells:
        cfg = Config.fromfile(cell.config)
        cfg.merge_from_dict(dict(option.split('=', 1) for option in cell.options))
        folders.add(Path(cfg.train_dataloader.dataset.label_dir))
    return sorted(folder for folder in folders if not folder.is_dir())


def _methods(data: str, own: dict[str, dict[str, str]]) -> list[Method]:
    """List the methods of a data set; ``own`` has configs by method and labels."""
    spml = f'{_SPML}_{data}_scribbles'
    rivals = f'{_BASELINES}_{data}'
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
        (
            'propagation',
            f'{_PROPAGATION}_{data}_scribbles_propagation.py',
            {
                'softmax': 'SPML with propagation, softmax',
                'retrieval': 'SPML with propagation, retrieval',
            },
        ),
    ]
    return [
        Method(config, predictors, own.get(name, {}))
        for name, config, predictors in rows
    ]


_VARYING_FULL = f'{_SPML}_ccp_varying_full_long_weighted_ce.py'

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
                    'points': f'{_SPML}_ccp_points_ce.py',
                    'tags': f'{_SPML}_ccp_tags_ce.py',
                },
                'spml': {
                    'points': f'{_SPML}_ccp_points.py',
                    'tags': f'{_SPML}_ccp_tags.py',
                },
                'propagation': {
                    'points': f'{_PROPAGATION}_ccp_points_propagation.py',
                    'boxes': f'{_PROPAGATION}_ccp_boxes_tightness.py',
                    'tags': f'{_PROPAGATION}_ccp_tags_propagation.py',
                },
                **{
                    name: {'tags': f'{_BASELINES}_ccp_tags_{name}.py'}
                    for name in ('dense_crf', 'gated_crf', 'tree_energy')
                },
            },
        ),
        full={
            f'{_SPML}_ccp_full_long_ce.py': (
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
            f'{_SPML}_camvid_full_long_ce.py': (
                'Full masks, cross-entropy, three times as long'
            )
        },
    ),
    'voc_animals': MethodTable(
        title='VOC-animals',
        weak_root='data/voc_animals_weak',
        labels={
            'scribbles': 'scribbles',
            'scribbles_10': 'a tenth of each scribble',
            'points': 'points',
            'boxes': 'boxes (GrabCut)',
            'tags_shares': 'tags',
            'tags': 'tags, no pixel unlabeled',
        },
        configs_of={'tags_shares': 'tags'},
        methods=_methods(
            'voc_animals',
            {
                'ce': {'points': f'{_SPML}_voc_animals_points_ce.py'},
                'spml': {
                    'points': f'{_SPML}_voc_animals_points.py',
                    'tags': f'{_SPML}_voc_animals_tags.py',
                },
                'propagation': {
                    'points': f'{_PROPAGATION}_voc_animals_points_propagation.py',
                    'boxes': f'{_PROPAGATION}_voc_animals_boxes_tightness.py',
                    'tags': f'{_PROPAGATION}_voc_animals_tags_propagation.py',
                },
            },
        ),
        full={f'{_SPML}_voc_animals_full_ce.py': 'Full masks, cross-entropy'},
        # Half of the iterations of the configs: a quarter of an hour for a run on one
        # core.
        options=('train_cfg.max_iters=600', 'param_scheduler.0.max_iters=600'),
    ),
    'acdc': MethodTable(
        title='ACDC',
        weak_root='data/acdc',
        labels={'scribbles': 'scribbles drawn by people'},
        methods=_methods('acdc', {}),
        full={f'{_SPML}_acdc_full_ce.py': 'Full masks, cross-entropy'},
        measure='Dice',
    ),
}
