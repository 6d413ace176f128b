"""Tests of the variants of a config: runs, table and plot."""

import inspect

import cv2
import pytest
from integration import tiny
from mmengine.config import Config, DictAction
from mmseg.registry import MODELS

from experiments.ablation import (
    Variant,
    ablation_table,
    plot_ablations,
    read_ablations,
)
from experiments.run_comparison import Cell

FILES = sorted((tiny.ROOT / 'experiments/configs/ablations').glob('*.py'))
TEXT = """
config = 'a.py'
ablations = {
    'memory': {'0': ['m=0'], '4': ['m=4']},
    'relations': {
        'more': dict(config='b.py', options=['r=1']),
        'all': dict(config='b.py'),
    },
}
"""


@pytest.fixture
def variants(tmp_path):
    path = tmp_path / 'ablations.py'
    path.write_text(TEXT)
    return read_ablations(str(path))


def result(variant, seed, **scores):
    options = list(variant.options)
    return dict(config=variant.config, seed=seed, options=options, mIoU=scores)


def test_read(variants):
    assert variants == [
        Variant('as it is', '', 'a.py', ()),
        Variant('memory', '0', 'a.py', ('m=0',)),
        Variant('memory', '4', 'a.py', ('m=4',)),
        Variant('relations', 'more', 'b.py', ('r=1',)),
        Variant('relations', 'all', 'b.py', ()),
    ]
    assert variants[1].cell(3) == Cell('a.py', 3, ('m=0',))


def test_table_pairs_seeds(variants):
    as_it_is, none, four, more, _ = variants
    results = [
        result(as_it_is, 0, softmax=40.0, retrieval=41.0),
        result(as_it_is, 1, softmax=50.0, retrieval=51.0),
        result(none, 0, softmax=41.0, retrieval=42.0),
        result(none, 1, softmax=53.0, retrieval=52.0),
        result(four, 1, softmax=49.0, retrieval=50.5),
        result(more, 7, softmax=10.0, retrieval=10.0),
    ]
    _, _, *rows = ablation_table(variants, results).splitlines()
    assert rows == [
        '| as it is |  | 45.0 |  | 46.0 |  | 0 1 |',
        '| memory | 0 | 47.0 | +2.0 ± 1.4 | 47.0 | +1.0 ± 0.0 | 0 1 |',
        '| memory | 4 | 49.0 | -1.0 | 50.5 | -0.5 | 1 |',
        '| relations | more | 10.0 | – | 10.0 | – | 7 |',
    ]
    with pytest.raises(ValueError, match='as it is was not run'):
        ablation_table(variants, results[2:])


def test_plot(variants, tmp_path):
    results = [result(v, s, softmax=40.0 + s) for v in variants for s in (0, 1)]
    plot_ablations(variants, results, tmp_path / 'deep' / 'plot.png')
    assert cv2.imread(str(tmp_path / 'deep' / 'plot.png')).shape[0] > 200


def test_bad_file(tmp_path):
    path = tmp_path / 'bad.py'
    path.write_text("config = 'a.py'\n")
    with pytest.raises(ValueError, match='bad.py must set `config`.*`ablations`'):
        read_ablations(str(path))
    for change in ("['m=0']", "{'0': 'm=0'}", "{'0': dict(opts=['m=0'])}"):
        path.write_text(f"config = 'a.py'\nablations = dict(memory={change})\n")
        with pytest.raises(ValueError, match='bad.py: .memory'):
            read_ablations(str(path))


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_options_change_what_is_there(path):
    """Options name existing keys; a misspelled one would add a key that is not read."""
    for variant in read_ablations(str(path)):
        cfg = Config.fromfile(tiny.ROOT / variant.config)
        pairs = [option.split('=', 1) for option in variant.options]
        for key, _ in pairs:
            node = cfg._cfg_dict
            *folders, last = key.split('.')
            if 'generate' in folders:  # generated regions are off by default
                assert cfg.train_dataloader.dataset.pipeline[2].type == 'LoadRegions'
                continue
            for part in folders:
                node = node[int(part)] if part.isdigit() else node[part]
            added = ('ignore_tags', 'region_dir', 'classifier_weight')
            if 'loss_decode' in folders or folders[-1] == 'propagation':
                loss = MODELS.get(node['type'])
                added = inspect.signature(loss.__init__).parameters
            assert last in node or last in added, key
        # A weight of 0 also holds for the classifier, unless it has its own weight.
        values = {key: DictAction._parse_iterable(value) for key, value in pairs}
        cfg.merge_from_dict(values)
        head = cfg.model.decode_head
        if head.type == 'SPMLHead':
            weight = head.get('classifier_weight', head.relations[0].loss_weight)
            assert weight > 0, variant.name
