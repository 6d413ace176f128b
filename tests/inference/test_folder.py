"""Folders of images, and the files that are written for each."""

import csv
import os
import shutil
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
import torch
from cli.commands import run_command
from integration import tiny
from mmengine.config import Config
from mmseg.apis import MMSegInferencer
from mmseg.registry import MODELS

from mmseg_spml.functional.uncertainty import normalized_entropy, probability_margin
from mmseg_spml.inference import predict_folder
from mmseg_spml.inference.prediction_files import PredictionFiles
from mmseg_spml.io.index_maps import read_index_map


def trained(root, **options):
    """A config and a checkpoint with random weights, as a run leaves them."""
    tiny.registered()
    cfg = tiny.config(root, root / 'work', **options)
    torch.manual_seed(0)
    state = MODELS.build(cfg.model).state_dict()
    run = root / 'run'
    run.mkdir(exist_ok=True)
    meta = dict(dataset_meta=dict(cfg.metainfo))
    torch.save(dict(state_dict=state, meta=meta), run / 'iter_1.pth')
    (run / 'last_checkpoint').write_text('/elsewhere/iter_1.pth')
    cfg.dump(run / 'tiny.py')
    return run / 'tiny.py', run / 'iter_1.pth'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tiny.write_data(tmp_path_factory.mktemp('data'), images=3)
    trained(root)
    folder = root / 'photos' / 'sub'
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, size in (('sub/b.jpg', (40, 60)), ('a.png', (33, 47))):
        image = generator.integers(0, 256, (*size, 3), np.uint8)
        cv2.imwrite(str(root / 'photos' / name), image)
    return root


def test_all_files_of_an_image(root, capsys):
    out = root / 'out'
    (root / 'photos' / 'c.jpg').write_text('no image')
    with pytest.raises(SystemExit) as end:
        run_command(
            'predict', root, root / 'photos', out, '--uncertainty', '--probabilities'
        )
    printed = capsys.readouterr()
    assert end.value.code == 1 and 'c.jpg: ' in printed.err
    assert '2 images predicted' in printed.out and 'least certain: ' in printed.out
    (root / 'photos' / 'c.jpg').unlink()
    kept = np.load(out / 'probabilities/sub/b.npz')
    assert kept['classes'].tolist() == ['background', 'red', 'green', 'blue']
    probabilities = torch.from_numpy(kept['probabilities'])
    assert probabilities.dtype == torch.float16 and probabilities.shape == (4, 40, 60)
    values = probabilities.float()
    labels = read_index_map(out / 'labels/sub/b.png')
    top = values.topk(2, dim=0).values
    clear = top[0] - top[1] > 1e-3  # float16 makes near ties equal
    assert clear.float().mean() > 0.5
    assert (torch.from_numpy(labels)[clear] == values.argmax(0)[clear]).all()
    for kind, measure in (
        ('entropy', normalized_entropy), ('margin', probability_margin)
    ):  # fmt: skip
        found = read_index_map(out / kind / 'sub/b.png')
        wanted = (measure(values) * 255).numpy()
        assert np.abs(found - wanted).max() < 1
    assert cv2.imread(str(out / 'overlays/a.jpg')).shape == (33, 47, 3)
    rows = list(csv.DictReader(open(out / 'predictions.csv')))
    assert {row['image'] for row in rows} == {'a.png', 'sub/b.jpg'}
    entropies = [float(row['mean_entropy']) for row in rows]
    assert entropies == sorted(entropies, reverse=True)
    (row,) = [row for row in rows if row['image'] == 'sub/b.jpg']
    shares = [float(row[f'share_{name}']) for name in kept['classes']]
    assert shares == pytest.approx(
        np.bincount(labels.ravel(), minlength=4) / 2400, abs=1e-5
    )
    found = read_index_map(out / 'entropy/sub/b.png') / 255
    assert float(row['mean_entropy']) == pytest.approx(found.mean(), abs=2e-3)


def test_the_inferencer_of_mmsegmentation_predicts_the_same(root):
    images = [str(root / 'photos' / name) for name in ('a.png', 'sub/b.jpg')]
    inferencer = MMSegInferencer(
        str(root / 'run/tiny.py'), str(root / 'run/iter_1.pth'), device='cpu'
    )
    predictions = inferencer(images)['predictions']
    cfg = Config.fromfile(root / 'run/tiny.py')
    predict_folder(cfg, root / 'run/iter_1.pth', root / 'photos', root / 'again')
    for image, wanted in zip(('a.png', 'sub/b.png'), predictions):
        assert np.array_equal(read_index_map(root / 'again/labels' / image), wanted)


def test_images_of_more_bits_are_pointed_out(root, tmp_path, capsys):
    (tmp_path / 'images').mkdir()
    for name, depth in dict(a=np.uint8, b=np.uint16, c=np.uint16).items():
        image = np.full((33, 47, 3), 90, depth)
        cv2.imwrite(str(tmp_path / f'images/{name}.png'), image)
    run_command('predict', root / 'run', tmp_path / 'images', tmp_path / 'out')
    said = capsys.readouterr().err
    assert 'Warning: b.png has more than 8 bits' in said and '1 more' in said


def test_only_what_is_missing(root):
    cfg = Config.fromfile(root / 'run/tiny.py')
    checkpoint = root / 'run/iter_1.pth'
    out = root / 'some'
    predict_folder(cfg, checkpoint, root / 'photos', out, overlays=False)
    assert not (out / 'overlays').exists()
    (out / 'labels/a.png').unlink()
    options = dict(overlays=False, skip_existing=True)
    summary = predict_folder(cfg, checkpoint, root / 'photos', out, **options)
    assert summary.skipped == ['sub/b.jpg']
    assert [row['image'] for row in summary.rows] == ['a.png']
    with open(out / 'predictions.csv') as file:
        rows = {row['image']: row['width'] for row in csv.DictReader(file)}
    assert rows == {'a.png': '47', 'sub/b.jpg': '60'}
    # A model that was trained since.
    made = os.path.getmtime(out / 'labels/sub/b.png')
    os.utime(out / 'labels/sub/b.png', (made, os.path.getmtime(checkpoint) - 1))
    summary = predict_folder(cfg, checkpoint, root / 'photos', out, **options)
    assert summary.skipped == ['a.png']
    # The maps that are asked for in addition are missing.
    options['uncertainty'] = True
    again = predict_folder(cfg, checkpoint, root / 'photos', out, **options)
    assert not again.skipped and len(again.rows) == 2


def listed(out):
    with open(out / 'predictions.csv') as file:
        return {row['image'] for row in csv.DictReader(file)}


def test_an_interruption_loses_no_row(root, monkeypatch):
    cfg, checkpoint = Config.fromfile(root / 'run/tiny.py'), root / 'run/iter_1.pth'
    out = root / 'stopped'
    write = PredictionFiles.write

    def stop_at_the_second(files, name, *rest):
        if name == 'sub/b.jpg':
            raise KeyboardInterrupt
        return write(files, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(PredictionFiles, 'write', stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            predict_folder(cfg, checkpoint, root / 'photos', out)
    assert listed(out) == {'a.png'}
    # As if it had been killed, without a chance to write a row.
    (out / 'predictions.csv').unlink()
    summary = predict_folder(cfg, checkpoint, root / 'photos', out, skip_existing=True)
    assert not summary.skipped and listed(out) == {'a.png', 'sub/b.jpg'}


def test_a_part_keeps_the_rows_of_the_others(root):
    cfg, checkpoint = Config.fromfile(root / 'run/tiny.py'), root / 'run/iter_1.pth'
    out = root / 'part'
    predict_folder(cfg, checkpoint, root / 'photos', out)
    predict_folder(cfg, checkpoint, root / 'photos', out, only=['a.png'])
    assert listed(out) == {'a.png', 'sub/b.jpg'}
    table = out / 'predictions.csv'
    lines = table.read_text().splitlines()
    added = [lines[0] + ',remark', *(line + ',fine' for line in lines[1:])]
    table.write_text('\n'.join(added))
    predict_folder(cfg, checkpoint, root / 'photos', out, only=['a.png'])
    assert sorted(table.read_text().splitlines()) == sorted(added)
    (out / 'labels/sub/b.png').unlink()
    predict_folder(cfg, checkpoint, root / 'photos', out, only=['a.png'])
    assert listed(out) == {'a.png'}


def test_one_image(root, tmp_path, capsys):
    photos = root / 'photos'
    (photos / 'sub/b.tif').write_bytes(b'an image of the same name, which is not asked')
    try:
        run_command('predict', root, photos / 'sub/b.jpg', tmp_path / 'out')
        # The list of a folder may name one of two, too.
        cfg, checkpoint = Config.fromfile(root / 'run/tiny.py'), root / 'run/iter_1.pth'
        predict_folder(cfg, checkpoint, photos, tmp_path / 'all', only=['sub/b.jpg'])
    finally:
        (photos / 'sub/b.tif').unlink()
    assert '1 image predicted' in capsys.readouterr().out
    one = read_index_map(tmp_path / 'out/labels/b.png')
    np.testing.assert_array_equal(
        one, read_index_map(tmp_path / 'all/labels/sub/b.png')
    )
    # The files may lie beside the image: it is the only one that is predicted.
    run_command('predict', root, photos / 'a.png', photos / 'out')
    try:
        assert (photos / 'out/labels/a.png').is_file()
    finally:
        shutil.rmtree(photos / 'out')
    # Its map replaces that of an image of another suffix, and the row does, too.
    shutil.copy(photos / 'a.png', tmp_path / 'b.png')
    run_command('predict', root, tmp_path / 'b.png', tmp_path / 'out')
    with open(tmp_path / 'out/predictions.csv') as file:
        assert [row['image'] for row in csv.DictReader(file)] == ['b.png']
    assert read_index_map(tmp_path / 'out/labels/b.png').shape == (33, 47)
    with pytest.raises(SystemExit, match='none of the suffixes'):
        run_command('predict', root, root / 'run/tiny.py', tmp_path / 'out')
    (tmp_path / 'list.txt').write_text('a.png')
    with pytest.raises(SystemExit, match='is one image'):
        run_command(
            *('predict', root, photos / 'a.png', tmp_path / 'out'),
            *('--only', tmp_path / 'list.txt'),
        )


def test_what_is_wrong_is_said(root, tmp_path):
    photos = root / 'photos'
    with pytest.raises(SystemExit, match='name another folder'):
        run_command('predict', root, photos, photos / 'out')
    with pytest.raises(SystemExit, match='no image in'):
        run_command('predict', root, tmp_path, tmp_path / 'out')
    with pytest.raises(SystemExit, match='add --checkpoint'):
        run_command('predict', root / 'run/tiny.py', photos, tmp_path / 'out')
    with pytest.raises(SystemExit, match='expected one config in'):
        run_command('predict', tmp_path, photos, tmp_path / 'out')
    for suffix in ('.jpg', '.png'):
        (tmp_path / f'a{suffix}').touch()
    with pytest.raises(SystemExit, match='would share a label map'):
        run_command('predict', root, tmp_path, tmp_path / 'out')


def test_many_bands_and_a_georeference(tmp_path, monkeypatch):
    tifffile = pytest.importorskip('tifffile')
    root = tiny.write_data(tmp_path, images=2)
    load = dict(type='LoadMultiBandImage', to_float32=True)
    cfg_path, checkpoint = trained(
        root,
        model__backbone__in_channels=5,
        model__data_preprocessor__mean=[100.0] * 5,
        model__data_preprocessor__std=[50.0] * 5,
        model__data_preprocessor__bgr_to_rgb=False,
    )
    cfg = Config.fromfile(cfg_path)
    cfg.test_dataloader.dataset.pipeline[0] = load
    cfg.test_pipeline[0] = load
    photos = tmp_path / 'bands'
    photos.mkdir()
    image = np.random.default_rng(0).integers(0, 4000, (30, 41, 5), np.uint16)
    place = [
        (33550, 12, 3, (0.5, 0.5, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 4e5, 5e6, 0.0), True),
        (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    ]
    gray = dict(photometric='minisblack')
    tifffile.imwrite(
        photos / 'a.tif', image, planarconfig='contig', extratags=place, **gray
    )
    bands_first = image.transpose(2, 0, 1)
    tifffile.imwrite(photos / 'b.tif', bands_first, planarconfig='separate', **gray)
    np.save(photos / 'c.npy', image)
    summary = predict_folder(cfg, checkpoint, photos, tmp_path / 'out')
    assert not summary.errors
    labels = [read_index_map(tmp_path / f'out/labels/{name}.png') for name in 'abc']
    assert np.array_equal(labels[0], labels[1])
    assert np.array_equal(labels[0], labels[2])
    with tifffile.TiffFile(tmp_path / 'out/labels/a.tif') as file:
        assert np.array_equal(file.asarray(), labels[0])
        tags = file.pages.first.tags
        for code, _, _, value, _ in place:
            assert tags[code].value == value
    assert not (tmp_path / 'out/labels/b.tif').exists()


LARGE = """
    import resource
    import numpy as np, torch
    from mmengine.structures import PixelData
    from torch import nn
    from inference.test_tiled_predictor import Stand
    from mmengine.config import Config
    from mmseg_spml.inference import TiledPredictor

    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[
        dict(type='LoadImageFromFile')]))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    image = np.broadcast_to(np.arange(10_000, dtype=np.uint8)[:, None], (10_000,) * 2)
    image = np.broadcast_to(image[..., None], (10_000, 10_000, 3))

    class Ten(Stand):
        def test_step(self, data):
            samples = super().test_step(data)
            for sample in samples:
                scores = sample.seg_logits.data
                sample.seg_logits = PixelData(data=scores.repeat(5, 1, 1))
            return samples

    rows = 0
    for top, band in TiledPredictor(Ten(cfg)).bands(image):
        assert top == rows and band.shape[::2] == (10, 10_000)
        rows += band.shape[1]
    assert rows == 10_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print('MB', (peak - before) // 1024)
"""


@pytest.mark.slow
def test_memory_for_100_megapixels():
    """Ten classes of the whole image would take 4,000 MB."""
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(LARGE)],
        cwd=tiny.ROOT / 'tests',
        env={
            **__import__('os').environ,
            'PYTHONPATH': f'{tiny.ROOT}:{tiny.ROOT}/tests',
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) < 2000, done.stdout


def test_other_classes_need_another_folder(root):
    """Ids of the maps that are there would get the names of other classes."""
    cfg, checkpoint = Config.fromfile(root / 'run/tiny.py'), root / 'run/iter_1.pth'
    out = root / 'classes'
    predict_folder(cfg, checkpoint, root / 'photos', out, only=['a.png'])
    (out / 'classes.txt').write_text('background\ngreen\n')
    with pytest.raises(ValueError, match='classes background, green, this one has'):
        predict_folder(cfg, checkpoint, root / 'photos', out)
    assert (out / 'classes.txt').read_text() == 'background\ngreen\n'
    assert not (out / 'labels/sub').exists()
    (out / 'labels/a.png').unlink()
    predict_folder(cfg, checkpoint, root / 'photos', out, only=['a.png'])
    assert (out / 'classes.txt').read_text().split()[1] == 'red'


def test_an_empty_file(root, tmp_path):
    cfg, checkpoint = Config.fromfile(root / 'run/tiny.py'), root / 'run/iter_1.pth'
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/empty.jpg').touch()
    summary = predict_folder(cfg, checkpoint, tmp_path / 'images', tmp_path / 'out')
    assert summary.errors == [('empty.jpg', 'no image that can be decoded')]
