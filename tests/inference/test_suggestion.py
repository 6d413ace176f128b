"""Suggestions of images and clicks, and their files."""

import csv
import re
import shutil
from base64 import b64decode

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cli.commands import run_command
from inference.test_folder import trained
from integration import tiny
from mmengine.config import Config
from mmseg.apis import init_model
from mmseg.registry import MODELS
from PIL import Image

from mmseg_spml.annotations.formats import read_annotations
from mmseg_spml.inference.segmented_images import ImageSegmenter, SegmentedImage
from mmseg_spml.inference.suggestion import KnownSegments, suggest, suggest_from_folder

CLASSES = ['background', 'red', 'green', 'blue']


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A trained model, and a folder with its three images and four others."""
    root = tiny.write_data(tmp_path_factory.mktemp('data'), images=3)
    trained(root)
    generator = np.random.default_rng(0)
    folder = root / 'photos' / 'sub'
    folder.mkdir(parents=True)
    for number in range(4):
        image = generator.integers(0, 256, (40 + number, 60, 3), np.uint8)
        cv2.imwrite(str(folder / f'{number}.jpg'), image)
    return root


def segmenter(root):
    cfg = Config.fromfile(root / 'run' / 'tiny.py')
    return ImageSegmenter(init_model(cfg, str(root / 'run/iter_1.pth'), device='cpu'))


def segmented(prototypes, uncertainty, probabilities, number_of_classes=2):
    """An image whose segments are columns of equal width."""
    count = len(prototypes)
    return SegmentedImage(
        (4, 3 * count),
        np.repeat(np.arange(count), 3)[None].repeat(4, axis=0).astype(np.int16),
        F.normalize(torch.tensor(prototypes), dim=1),
        torch.tensor(probabilities),
        torch.tensor(uncertainty),
        torch.full((count,), number_of_classes),
    )


def test_segments_are_means_over_their_pixels(root):
    split = segmenter(root)
    image = cv2.imread(str(root / 'photos/sub/2.jpg'))
    found = split(image)
    assert found.size == (42, 60) and found.segments.min() == 0
    assert found.shares.sum() == pytest.approx(1)
    model = split.model
    data = dict(inputs=[torch.from_numpy(image).permute(2, 0, 1)])
    batch = model.data_preprocessor(data, False)['inputs']
    features = model.extract_feat(batch)
    rows, columns = found.segments.shape
    logits = model.decode_head(features)[0, :, :rows, :columns].softmax(0)
    units = F.normalize(features[0], dim=1)[0, :, :rows, :columns]
    for number in range(len(found.labels)):
        own = torch.from_numpy(found.segments == number)
        mean = logits[:, own].double().mean(dim=1)
        assert torch.allclose(found.probabilities[number].double(), mean, atol=1e-5)
        best = logits[:, own].sort(dim=0).values
        margin = 1 - (best[-1] - best[-2]).mean()
        assert found.uncertainty[number] == pytest.approx(float(margin), abs=1e-5)
        prototype = F.normalize(units[:, own].sum(dim=1), dim=0)
        assert torch.allclose(found.prototypes[number], prototype, atol=1e-5)
        x, y = found.inner_point(number)
        row, column = int(y * rows / 42), int(x * columns / 60)
        assert found.segments[row, column] == number
    assert (found.labels == 4).all()


def test_labels_split_segments(root):
    image = cv2.imread(str(root / 'photos/sub/0.jpg'))
    labels = np.full((40, 60), 4, np.uint8)
    labels[:20, :30] = 1
    labels[30:, 40:] = 255
    found = segmenter(root)(image, labels)
    assert set(found.labels.tolist()) == {1, 4}
    labeled = np.isin(found.segments, np.flatnonzero(found.labels == 1))
    assert labeled.mean() == pytest.approx(0.25, abs=0.05)


def test_large_images_are_shrunk(root, monkeypatch):
    monkeypatch.setattr('mmseg_spml.inference.segmented_images._LARGEST_SIDE', 30)
    found = segmenter(root)(cv2.imread(str(root / 'photos/sub/0.jpg')))
    assert found.size == (40, 60) and max(found.segments.shape) <= 30
    x, y = found.inner_point(0)
    assert 0 < x < 60 and 0 < y < 40


def test_single_outputs_and_models_without_spml(root):
    cfg = Config.fromfile(root / 'run' / 'tiny.py')
    cfg.model.type = 'EncoderDecoder'
    cfg.model.neck = None
    cfg.model.decode_head = dict(
        type='FCNHead',
        in_channels=16,
        in_index=1,
        channels=8,
        num_convs=1,
        num_classes=2,
        out_channels=1,
        threshold=0.3,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True),
    )
    cfg.model.backbone.norm_cfg = dict(type='BN')
    model = MODELS.build(cfg.model).eval()
    model.cfg = cfg
    found = ImageSegmenter(model)(cv2.imread(str(root / 'photos/sub/0.jpg')))
    assert found.prototypes.shape[1] == 16
    assert torch.allclose(found.probabilities.sum(dim=1), torch.ones(()))


def test_what_counts():
    """Uncertain, new and rare: each decides where the others are equal."""
    equal = [[0.5, 0.5]]
    known = KnownSegments(2)
    sure = segmented([[1.0, 0.0]], [0.1], equal)
    unsure = segmented([[1.0, 0.0]], [0.9], equal)
    assert suggest(['a', 'b'], [sure, unsure], known, 1)[0].image == 'b'
    labeled = segmented([[1.0, 0.0]], [0.5], equal)
    labeled.labels[:] = 0
    known.add(labeled)
    new = segmented([[0.0, 1.0]], [0.9], equal)
    assert suggest(['a', 'b'], [unsure, new], known, 1)[0].image == 'b'
    # Class 0 is labeled in one image, class 1 in none.
    assert known.rarity().tolist() == pytest.approx([0.5**0.5, 1])
    common = segmented([[0.0, 1.0]], [0.9], [[0.9, 0.1]])
    rare = segmented([[0.0, 1.0]], [0.9], [[0.1, 0.9]])
    (first,) = suggest(['a', 'b'], [common, rare], known, 1)
    assert first.image == 'b'
    assert first.score == pytest.approx(0.9 * (0.1 * 0.5**0.5 + 0.9) * 0.5)
    (click,) = first.clicks
    assert (click.guess, click.probability) == (1, pytest.approx(0.9))
    assert 0 < click.x < 3 and 0 < click.y < 4


def test_clicks_are_spread():
    image = segmented(
        [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], [0.9, 0.8, 0.5], [[0.5, 0.5]] * 3
    )
    (found,) = suggest(['a'], [image], KnownSegments(2), 1, clicks=2)
    assert [int(click.x // 3) for click in found.clicks] == [0, 2]
    assert suggest([], [], KnownSegments(2), 3) == []


def test_command(root, tmp_path, capsys):
    out = tmp_path / 'next'
    run_command(
        *('suggest', root, root / 'photos', out),
        *('--count', 3, '--clicks', 2, '--to', 'cvat'),
    )
    assert '3 images: look at ' in capsys.readouterr().out
    names = (out / 'images.txt').read_text().split()
    assert len(set(names)) == 3 and all(name.startswith('sub/') for name in names)
    rows = list(csv.DictReader((out / 'suggestions.csv').open()))
    assert [row['image'] for row in rows] == [n for n in names for _ in range(2)]
    page = (out / 'suggestions.html').read_text()
    assert page.count('<figure>') == 3 and page.count('<li>') == 6
    found = list(read_annotations(out / 'points' / 'annotations.xml'))
    assert [weak.image for weak in found] == names
    for weak, row in zip(found, rows[::2]):
        assert weak.points[0].label == row['guess'] in CLASSES
        assert weak.points[0].x == pytest.approx(float(row['x']), abs=0.1)


def test_labeled_images_and_bad_ones_are_left_out(root, tmp_path, capsys):
    cfg = Config.fromfile(root / 'run' / 'tiny.py')
    with pytest.raises(ValueError, match='labeled or held out: nothing to suggest'):
        suggest_from_folder(cfg, root / 'run/iter_1.pth', root / 'JPEGImages')
    shutil.copy(root / 'JPEGImages' / '1.png', root / 'JPEGImages' / '7.png')
    found, errors = suggest_from_folder(
        cfg, root / 'run/iter_1.pth', root / 'JPEGImages', clicks=0
    )
    assert [one.image for one in found] == ['7.png'] and not errors
    bad = tmp_path / 'images'
    bad.mkdir()
    (bad / 'a.jpg').write_text('no image')
    cv2.imwrite(str(bad / '<b>|=.jpg'), np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(SystemExit) as end:
        run_command('suggest', root, bad, tmp_path / 'next', '--clicks', 0)
    assert end.value.code == 1 and 'a.jpg: ' in capsys.readouterr().err
    page = (tmp_path / 'next' / 'suggestions.html').read_text()
    assert '<b>|' not in page and '&lt;b&gt;|=.jpg' in page
    with pytest.raises(SystemExit, match='no checkpoint'):
        run_command('suggest', root, bad, tmp_path / 'x', '--checkpoint', 'no.pth')


def test_photographs_are_shown_upright(root, tmp_path):
    image = Image.fromarray(np.zeros((40, 60, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    images = tmp_path / 'images'
    images.mkdir()
    image.save(images / 'a.jpg', exif=exif)
    run_command('suggest', root, images, tmp_path / 'next', '--clicks', 0)
    page = (tmp_path / 'next' / 'suggestions.html').read_text()
    content = re.search(r'data:image/\w+;base64,([^"]+)', page).group(1)
    shown = cv2.imdecode(np.frombuffer(b64decode(content), np.uint8), 1)
    assert shown.shape[0] > shown.shape[1]
