"""Tests of the runs of a table of methods, and of the table of existing results."""

import pytest
from integration import tiny

from experiments.method_table import (
    FOLDER_VARIABLES,
    FULL_MASKS,
    TABLES,
    missing_labels,
)
from experiments.run_comparison import Cell, predictors_of

every = pytest.mark.parametrize('name', list(TABLES))
CCP = TABLES['ccp']


@every
def test_configs_are_there_and_have_the_rows(name):
    table = TABLES[name]
    for config in table.full:
        assert predictors_of(config) == {'softmax': []}
    assert set(table.own_full.values()) < set(table.full)
    assert set(table.own_full) <= set(table.labels)
    for method in table.methods:
        for config in (method.config, *method.own.values()):
            assert list(method.predictors) == list(predictors_of(config)), config


@every
def test_each_cell_once(name):
    table = TABLES[name]
    cells = table.cells(None, [0, 1])
    assert len({cell.name for cell in cells}) == len(cells)
    each = len(table.labels) * len(table.methods) + len(table.full)
    assert len(cells) == 2 * each
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)


def test_labels_choose_the_folder():
    ce, *_, spml, _ = CCP.cells(['points'], [3])
    assert ce == Cell('experiments/configs/spml/efficientnet_lite0_ccp_points_ce.py', 3)
    assert spml == Cell('experiments/configs/spml/efficientnet_lite0_ccp_points.py', 3)
    cell = CCP.cells(['scribbles_10'], [0])[1]
    assert (
        cell.config
        == 'experiments/configs/baselines/efficientnet_lite0_ccp_dense_crf.py'
    )
    folder = 'data/ccp_weak/scribbles_10'
    assert cell.options == (f'train_dataloader.dataset.label_dir={folder}',)
    assert all(not cell.options for cell in CCP.cells(['scribbles'], [0]))
    full, own_full = CCP.full
    assert CCP.cells([FULL_MASKS], [0]) == [Cell(full, 0)]
    assert CCP.cells(['tags'], [0])[-1] == Cell(own_full, 0)
    with pytest.raises(ValueError, match="among.*'point'"):
        CCP.cells(['point'], [0])


def test_a_column_with_the_configs_of_another():
    shares = TABLES['voc_animals'].cells(['tags_shares'], [0])
    tags = TABLES['voc_animals'].cells(['tags'], [0])
    assert [cell.config for cell in shares] == [cell.config for cell in tags]
    folder = 'train_dataloader.dataset.label_dir=data/voc_animals_weak/tags_shares'
    assert all(folder in cell.options for cell in shares)


def test_options_of_all_runs():
    table = TABLES['voc_animals']
    half = ('train_cfg.max_iters=600', 'param_scheduler.0.max_iters=600')
    cells = table.cells(['points', 'scribbles_10', FULL_MASKS], [0])
    assert all(cell.options[:2] == half for cell in cells)
    folder = 'train_dataloader.dataset.label_dir=data/voc_animals_weak/scribbles_10'
    assert Cell(table.methods[0].config, 0, (*half, folder)) in cells
    # Results of the config without the options are of other runs.
    config = next(iter(table.full))
    other = dict(config=config, seed=0, options=[], mIoU=dict(softmax=77.0), IoU={})
    assert '77.0' not in table.format([other])
    assert '77.0' in table.format([{**other, 'options': list(half)}])


def test_missing_labels(tmp_path, monkeypatch):
    for name in FOLDER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / 'data/ccp_weak/boxes').mkdir(parents=True)
    for name in ('configs', 'experiments'):
        (tmp_path / name).symlink_to(tiny.ROOT / name)
    monkeypatch.chdir(tmp_path)
    cells = CCP.cells(['points', 'boxes', 'scribbles_10', FULL_MASKS], [0, 1])
    assert [str(path) for path in missing_labels(cells)] == [
        'data/ccp/masks',
        'data/ccp_weak/points',
        'data/ccp_weak/scribbles_10',
    ]


def test_table_of_what_is_there():
    def result(config, seed, options=(), worst=1.0, **scores):
        IoU = dict(softmax=dict(cat=worst, dog=50.0))
        return dict(
            config=config, seed=seed, options=list(options), mIoU=scores, IoU=IoU
        )

    ce, dense, *_, spml, _ = CCP.cells(['scribbles_10'], [0])
    full, own_full = CCP.full
    (tags, *_) = CCP.cells(['tags'], [0])
    results = [
        *(result(full, seed, softmax=50.0) for seed in range(3)),
        result(own_full, 0, softmax=80.0),
        result(tags.config, 0, softmax=20.0),
        *(result(ce.config, seed, softmax=40.0 + seed) for seed in range(3)),
        result(dense.config, 0, dense.options, softmax=25.0),
        *(result(spml.config, s, softmax=45.0, retrieval=30.0) for s in range(2)),
        result('configs/other.py', 0, softmax=1.0),
    ]
    header, _, *rows = CCP.format(results).splitlines()
    assert header.split(' | ')[1:3] == ['scribbles', 'half of each scribble']
    cells = {row.split(' | ')[0]: row.split(' | ')[1:] for row in rows}
    assert cells['| cross-entropy'][0] == '41.0 ± 1.0 (82 %)'
    assert cells['| DenseCRF loss'][2] == '25.0 (50 %), 1 seed'
    assert cells['| SPML, softmax'][0] == '45.0 ± 0.0 (90 %), 2 seeds'
    assert cells['| SPML, retrieval'][0] == '30.0 ± 0.0 (60 %), 2 seeds'
    assert cells['| tree energy loss'][0] == '–'
    assert cells['| cross-entropy'][5] == '20.0 (25 %), 1 seed |'
    assert f'{CCP.full[full]}: 50.0 ± 0.0' in rows
    assert rows[-1] == f'{CCP.full[own_full]}: 80.0, 1 seed'
    assert '1.0' not in CCP.format(results[-1:])
    # There is no percentage of full masks from which a class was not learned.
    results[3] = result(own_full, 0, softmax=80.0, worst=0.9)
    text = CCP.format(results)
    assert '| 20.0, 1 seed |' in text and '(82 %)' in text
