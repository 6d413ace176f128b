"""Tests of the tools that simulate, check and convert annotations."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.formats import read_annotations, write_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import Point, WeakAnnotation

pytest.importorskip('skimage')
ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch):
    def run(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / f'{name}.py'), run_name='__main__')

    return run


@pytest.fixture
def masks(tmp_path):
    for number, name in enumerate(('b', 'sub/a')):
        mask = np.zeros((30, 40), np.uint8)
        mask[5:20, 5 + number : 25] = 1 + number
        path = tmp_path / 'masks' / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    return tmp_path / 'masks'


CLASSES = ('background', 'cat', 'dog')


def test_folder_of_masks(tool, masks, tmp_path, capsys):
    out = tmp_path / 'weak.jsonl'
    tool('simulate_annotations', masks, out, '--classes', *CLASSES, '--workers', 1)
    assert '2 images written' in capsys.readouterr().out
    weak = {annotation.image: annotation for annotation in read_annotations(out)}
    assert set(weak) == {'b.jpg', 'sub/a.jpg'}
    assert weak['b.jpg'].tags == {'cat'} and weak['sub/a.jpg'].tags == {'dog'}
    mask = np.asarray(Image.open(masks / 'sub/a.png'))
    labels = label_map(weak['sub/a.jpg'], CLASSES, point_radius=0, stroke_width=1)
    inner = (labels < 3) & (labels != mask)
    # Strokes are 3 pixels wide and may leave a component by one pixel.
    assert (labels < 3).sum() > 60 and inner.sum() < 10


def test_the_same_by_a_config(tool, masks, tmp_path):
    (tmp_path / 'images/sub').mkdir(parents=True)
    for name in ('b', 'sub/a'):
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(
            tmp_path / f'images/{name}.jpg'
        )
    config = tmp_path / 'config.py'
    config.write_text(
        'train_dataloader = dict(dataset=dict(\n'
        "    type='BaseSegDataset', img_suffix='.jpg', seg_map_suffix='.png',\n"
        f"    data_root='{tmp_path}', pipeline=[],\n"
        "    data_prefix=dict(img_path='images', seg_map_path='masks'),\n"
        f'    metainfo=dict(classes={CLASSES})))\n'
    )
    by_config, by_folder = tmp_path / 'c.jsonl', tmp_path / 'f.jsonl'
    tool('simulate_annotations', config, by_config, '--workers', 1)
    tool('simulate_annotations', masks, by_folder, '--classes', *CLASSES)
    assert by_config.read_text() == by_folder.read_text()
    with pytest.raises(SystemExit, match='no val_dataloader'):
        tool('simulate_annotations', config, by_config, '--split', 'val')


def test_what_is_wrong_is_said_in_a_sentence(tool, masks, tmp_path):
    out = tmp_path / 'weak.jsonl'
    with pytest.raises(SystemExit, match='--classes'):
        tool('simulate_annotations', masks, out)
    with pytest.raises(SystemExit, match=r'sub/a.jpg: .*holds the values 2 '):
        tool('simulate_annotations', masks, out, '--classes', *CLASSES[:2],
             '--workers', 1)  # fmt: skip
    with pytest.raises(SystemExit, match=r'no \*.png'):
        (tmp_path / 'empty').mkdir()
        tool('simulate_annotations', tmp_path / 'empty', out, '--classes', 'a')
    assert not out.exists()


def test_masks_that_cannot_be_used(tool, tmp_path):
    out = tmp_path / 'weak.jsonl'
    (tmp_path / 'masks').mkdir()
    Image.fromarray(np.full((5, 5), 300, np.uint16)).save(tmp_path / 'masks/a.png')
    with pytest.raises(SystemExit, match='a.jpg: .*a.png holds the values 300..300'):
        tool('simulate_annotations', tmp_path / 'masks', out, '--classes', *CLASSES,
             '--workers', 1)  # fmt: skip
    config = tmp_path / 'config.py'
    config.write_text(
        "train_dataloader = dict(dataset=dict(type='RepeatDataset', times=2,\n"
        "    dataset=dict(type='BaseSegDataset')))\n"
    )
    with pytest.raises(SystemExit, match='wraps others .RepeatDataset'):
        tool('simulate_annotations', config, out)
    with pytest.raises(SystemExit):
        tool('simulate_annotations', tmp_path / 'nothing', out)


def test_names_from_a_file(tool, masks, tmp_path):
    names, out = tmp_path / 'names.txt', tmp_path / 'weak.jsonl'
    names.write_text('\ufeffbackground\ncat\n\ndog\n', encoding='utf-8')
    tool('simulate_annotations', masks, out, '--classes', names, '--workers', 1)
    with pytest.raises(SystemExit) as end:
        tool('check_annotations', out, '--classes', names)
    assert not end.value.code
    with pytest.raises(SystemExit) as end:
        tool('check_annotations', out, '--classes', 'background', 'cat')
    assert end.value.code


def test_convert_joins_files(tool, tmp_path, capsys):
    first, second = tmp_path / '1.jsonl', tmp_path / '2.jsonl'
    first.write_text('{"image": "a.jpg", "size": [2, 3], "tags": ["cat"]}\n')
    second.write_text(
        '{"image": "a.jpg", "size": [2, 3],'
        ' "points": [{"label": "cat", "at": [1, 1]}]}\n'
        '{"image": "b.jpg", "size": [2, 3]}\n'
    )
    tool('convert_annotations', first, second, tmp_path / 'out.jsonl')
    assert '2 images converted' in capsys.readouterr().out
    assert list(read_annotations(tmp_path / 'out.jsonl')) == [
        WeakAnnotation('a.jpg', 2, 3, tags={'cat'}, points=[Point('cat', 1, 1)]),
        WeakAnnotation('b.jpg', 2, 3),
    ]


def test_convert_says_what_is_wrong(tool, tmp_path):
    bad, out = tmp_path / 'bad.jsonl', tmp_path / 'out.jsonl'
    bad.write_text('{"image": "a.jpg"}\n')
    with pytest.raises(SystemExit, match="bad.jsonl, line 1: .*lacks .'size'"):
        tool('convert_annotations', bad, out)
    with pytest.raises(SystemExit, match='nothing.jsonl'):
        tool('convert_annotations', tmp_path / 'nothing.jsonl', out)
    with pytest.raises(SystemExit, match='--to'):
        tool('convert_annotations', bad, tmp_path / 'out')
    assert not out.exists()


def test_browsing_goes_on_after_an_unreadable_image(tmp_path, tool, capsys):
    for name, size in (('a', (40, 30)), ('b', (80, 30))):
        Image.new('RGB', size).save(tmp_path / f'{name}.jpg')
    (tmp_path / 'c.jpg').write_bytes(b'no picture')
    known = [
        WeakAnnotation(f'{name}.jpg', 30, 40, points=[Point('cat', 9, 9)])
        for name in 'abc'
    ]
    write_annotations(known, tmp_path / 'weak.jsonl', 'jsonl')
    page = tmp_path / 'page.html'
    with pytest.raises(SystemExit, match='entries left out: 1'):
        tool(
            'browse_annotations', tmp_path / 'weak.jsonl', '--images', tmp_path,
            '--classes', *CLASSES, '--page', page,
        )  # fmt: skip
    printed = capsys.readouterr().out
    assert '2 images written' in printed and f'left out: {tmp_path}/c.jpg' in printed
    assert 'b.jpg with 80 x 30 pixels' in printed
    data = page.read_text().split('type="application/json">')[1].split('</script>')[0]
    cards = json.loads(data)['cards']
    assert [card['warning'] for card in cards] == ['', 'the image has 80 × 30 pixels']
