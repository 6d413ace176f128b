"""Numbers of classes that differ are found before anything is loaded."""

import pytest
from integration import tiny
from mmengine.config import Config

from mmseg_spml.engine import launch
from mmseg_spml.engine.class_counts import check_class_counts

CONFIGS = sorted(
    path
    for folder in ('configs', 'experiments/configs')
    for path in (tiny.ROOT / folder).glob('[!_r]*/*.py')
    if path.parent.name not in ('ablations', 'recipes')
)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_configs_of_the_repository(path):
    tiny.registered()
    check_class_counts(Config.fromfile(path))


@pytest.mark.parametrize('part', ['neck', 'decode_head'])
def test_one_number_differs(tmp_path, part):
    path = str(tiny.write_config(tmp_path))
    key = f'model.{part}.num_classes'
    with pytest.raises(ValueError) as error:
        launch.read_config(path, cfg_options={key: 9})
    message = str(error.value)
    assert 'train_dataloader.dataset names 4 classes (background, red, green' in message
    assert f'{key} is 9: set each of these to 4' in message


def test_heads_and_branches():
    tiny.registered()
    heads = [dict(num_classes=21), dict(num_classes=20)]
    model = dict(
        decode_head=dict(num_classes=21),
        auxiliary_head=heads,
        spml=dict(neck=dict(num_classes=5), decode_head=dict(num_classes=21)),
    )
    cfg = Config(
        dict(model=model, val_dataloader=dict(dataset=dict(type='VOCWeakDataset')))
    )
    wanted = (
        r'val_.* 21 classes .*model.auxiliary_head.1.num_classes is 20, '
        'model.spml.neck.num_classes is 5'
    )
    with pytest.raises(ValueError, match=wanted):
        check_class_counts(cfg)


def test_nothing_to_compare():
    check_class_counts(Config(dict(model=dict(type='TagClassifier'))))
    check_class_counts(Config(dict(train_dataloader=dict(dataset=dict(type='X')))))
