"""Rounds of labeling: what is trained on, what is kept, and the table."""

import json

import pytest

from experiments import label_rounds
from experiments.label_rounds import Rounds, Study, table

CONFIG = (
    'experiments/configs/propagation/'
    'efficientnet_lite0_voc_animals_points_propagation.py'
)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Trainings that score the number of their images, without training."""
    monkeypatch.setenv('VOC_WEAK', str(tmp_path))
    names = [f'{number:03d}' for number in range(40)]
    (tmp_path / 'train.txt').write_text('\n'.join(names) + '\n')
    made = []

    def train_and_test(config, options, folder, predictors):
        chosen = dict(option.split('=', 1) for option in options)
        names = open(chosen['train_dataloader.dataset.ann_file']).read().split()
        made.append((folder, names, chosen))
        (folder / 'train').mkdir(parents=True)
        (folder / 'train' / 'last_checkpoint').write_text('iter_5.pth')
        assert len(set(names)) == len(names)
        return dict(mIoU={'softmax': float(len(names))}, IoU={}, command='')

    def suggested(self, number, rest):
        return sorted(rest)[: self.study.count]

    monkeypatch.setattr(label_rounds, 'train_and_test', train_and_test)
    monkeypatch.setattr(Rounds, '_suggested', suggested)
    return made


def test_rounds(tmp_path, calls):
    study = Study(CONFIG, pool=20, count=4, rounds=2, iterations=5, options=('a=1',))
    out, work = tmp_path / 'out', tmp_path / 'work'
    for seed in (0, 1):
        for way in label_rounds.WAYS:
            results = list(Rounds(study, way, seed, out, work).run())
            assert [one['mIoU']['softmax'] for one in results] == [4, 8, 12]
    # The start is shared by both ways.
    assert len(calls) == 2 * 5 and len(list(out.iterdir())) == 10
    folder, names, options = calls[1]
    assert folder == work / 'seed0' / 'suggestion_1'
    assert names[:4] == calls[0][1] and names[4:] == sorted(names[4:])
    assert options['a'] == '1' and options['train_cfg.max_iters'] == '5'
    assert options['load_from'] == str(work / 'seed0/start/train/iter_5.pth')
    assert 'load_from' not in calls[0][2]
    assert calls[5][1] != calls[0][1]  # another seed, other images
    pool = set(study.names(0))
    assert len(pool) == 20 and set(names) <= pool
    # Rounds that have a result are not run again.
    list(Rounds(study, 'random', 1, out, work).run())
    assert len(calls) == 10
    files = [json.loads(path.read_text()) for path in sorted(out.iterdir())]
    assert table(files).splitlines() == [
        '| images with points | 4 | 8 | 12 |',
        '|---|---|---|---|',
        '| chosen by suggestion | 4.0 ± 0.0 | 8.0 ± 0.0 | 12.0 ± 0.0 |',
        '| chosen at random | 4.0 ± 0.0 | 8.0 ± 0.0 | 12.0 ± 0.0 |',
    ]
