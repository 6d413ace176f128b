"""Tests of the commands that simulate, check and convert annotations."""

import json

import numpy as np
import pytest
from cli.commands import run_command
from PIL import Image

from mmseg_spml.annotations.formats import read_annotations, write_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import Point, WeakAnnotation

pytest.importorskip('skimage')


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


def test_folder_of_masks(masks, tmp_path, capsys):
    out = tmp_path / 'weak.jsonl'
    run_command('simulate', masks, out, '--classes', *CLASSES, '--workers', 1)
    assert '2 images written' in capsys.readouterr().out
    weak = {annotation.image: annotation for annotation in read_annotations(out)}
    assert set(weak) == {'b.jpg', 'sub/a.jpg'}
    assert weak['b.jpg'].tags == {'cat'} and weak['sub/a.jpg'].tags == {'dog'}
    mask = np.asarray(Image.open(masks / 'sub/a.png'))
    labels = label_map(weak['sub/a.jpg'], CLASSES, point_radius=0, stroke_width=1)
    inner = (labels < 3) & (labels != mask)
    # Strokes are 3 pixels wide and may leave a component by one pixel.
    assert (labels < 3).sum() > 60 and inner.sum() < 10


def test_images_of_several_suffixes(masks, tmp_path):
    out, images = tmp_path / 'weak.jsonl', tmp_path / 'images'
    command = ('simulate', masks, out, '--classes', *CLASSES, '--images', images)
    (images / 'sub').mkdir(parents=True)
    (images / 'b.PNG').touch()
    with pytest.raises(SystemExit, match="no image 'sub/a' in .*images"):
        run_command(*command)
    (images / 'sub/a.jpeg').touch()
    run_command(*command)
    assert {one.image for one in read_annotations(out)} == {'b.PNG', 'sub/a.jpeg'}


def test_the_same_by_a_config(masks, tmp_path):
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
    run_command('simulate', config, by_config, '--workers', 1)
    run_command('simulate', masks, by_folder, '--classes', *CLASSES)
    assert by_config.read_text() == by_folder.read_text()
    with pytest.raises(SystemExit, match='no val_dataloader'):
        run_command('simulate', config, by_config, '--split', 'val')


def test_what_is_wrong_is_said_in_a_sentence(masks, tmp_path):
    out = tmp_path / 'weak.jsonl'
    with pytest.raises(SystemExit, match='--classes'):
        run_command('simulate', masks, out)
    with pytest.raises(SystemExit, match=r'sub/a.jpg: .*holds the values 2 '):
        run_command('simulate', masks, out, '--classes', *CLASSES[:2],
             '--workers', 1)  # fmt: skip
    with pytest.raises(SystemExit, match=r'no \*.png'):
        (tmp_path / 'empty').mkdir()
        run_command('simulate', tmp_path / 'empty', out, '--classes', 'a')
    assert not out.exists()


def test_masks_that_cannot_be_used(tmp_path):
    out = tmp_path / 'weak.jsonl'
    (tmp_path / 'masks').mkdir()
    Image.fromarray(np.full((5, 5), 300, np.uint16)).save(tmp_path / 'masks/a.png')
    with pytest.raises(SystemExit, match='a.jpg: .*a.png holds the values 300..300'):
        run_command('simulate', tmp_path / 'masks', out, '--classes', *CLASSES,
             '--workers', 1)  # fmt: skip
    config = tmp_path / 'config.py'
    config.write_text(
        "train_dataloader = dict(dataset=dict(type='RepeatDataset', times=2,\n"
        "    dataset=dict(type='BaseSegDataset')))\n"
    )
    with pytest.raises(SystemExit, match='wraps others .RepeatDataset'):
        run_command('simulate', config, out)
    with pytest.raises(SystemExit):
        run_command('simulate', tmp_path / 'nothing', out)


def test_names_from_a_file(masks, tmp_path):
    names, out = tmp_path / 'names.txt', tmp_path / 'weak.jsonl'
    names.write_text('\ufeffbackground\ncat\n\ndog\n', encoding='utf-8')
    run_command('simulate', masks, out, '--classes', names, '--workers', 1)
    with pytest.raises(SystemExit) as end:
        run_command('check', out, '--classes', names)
    assert not end.value.code
    with pytest.raises(SystemExit) as end:
        run_command('check', out, '--classes', 'background', 'cat')
    assert end.value.code


def test_convert_joins_files(tmp_path, capsys):
    first, second = tmp_path / '1.jsonl', tmp_path / '2.jsonl'
    first.write_text('{"image": "a.jpg", "size": [2, 3], "tags": ["cat"]}\n')
    second.write_text(
        '{"image": "a.jpg", "size": [2, 3],'
        ' "points": [{"label": "cat", "at": [1, 1]}]}\n'
        '{"image": "b.jpg", "size": [2, 3]}\n'
    )
    run_command('convert', first, second, tmp_path / 'out.jsonl')
    assert '2 images converted' in capsys.readouterr().out
    assert list(read_annotations(tmp_path / 'out.jsonl')) == [
        WeakAnnotation('a.jpg', 2, 3, tags={'cat'}, points=[Point('cat', 1, 1)]),
        WeakAnnotation('b.jpg', 2, 3),
    ]


def test_convert_says_what_is_wrong(tmp_path):
    bad, out = tmp_path / 'bad.jsonl', tmp_path / 'out.jsonl'
    bad.write_text('{"image": "a.jpg"}\n')
    with pytest.raises(SystemExit, match="bad.jsonl, line 1: .*lacks .'size'"):
        run_command('convert', bad, out)
    with pytest.raises(SystemExit, match='nothing.jsonl'):
        run_command('convert', tmp_path / 'nothing.jsonl', out)
    with pytest.raises(SystemExit, match='--to'):
        run_command('convert', bad, tmp_path / 'out')
    assert not out.exists()


def test_what_is_read_is_not_written(tmp_path):
    weak = tmp_path / 'weak.jsonl'
    weak.write_text('')
    with pytest.raises(SystemExit, match='is read: name another file'):
        run_command('convert', weak, weak)
    with pytest.raises(SystemExit, match='has the masks: name another folder'):
        run_command('simulate', tmp_path, tmp_path, '--to', 'index_png')


def test_browsing_goes_on_after_an_unreadable_image(tmp_path, capsys):
    for name, size in (('a', (40, 30)), ('b', (80, 30))):
        Image.new('RGB', size).save(tmp_path / f'{name}.jpg')
    (tmp_path / 'c.jpg').write_bytes(b'no picture')
    known = [
        WeakAnnotation(f'{name}.jpg', 30, 40, points=[Point('cat', 9, 9)])
        for name in 'abc'
    ]
    write_annotations(known, tmp_path / 'weak.jsonl', 'jsonl')
    page = tmp_path / 'page.html'
    with pytest.raises(SystemExit, match='1 malformed entries left out'):
        run_command(
            'browse', tmp_path / 'weak.jsonl', '--images', tmp_path,
            '--classes', *CLASSES, '--page', page,
        )  # fmt: skip
    printed = capsys.readouterr().out
    assert '2 images written' in printed and f'left out: {tmp_path}/c.jpg' in printed
    assert 'b.jpg with 80 x 30 pixels' in printed
    data = page.read_text().split('type="application/json">')[1].split('</script>')[0]
    cards = json.loads(data)['cards']
    assert [card['warning'] for card in cards] == ['', 'the image has 80 × 30 pixels']


def test_browsing_nothing(tmp_path):
    weak, page = tmp_path / 'weak.jsonl', tmp_path / 'page.html'
    weak.write_text('')
    with pytest.raises(SystemExit, match=r'weak\.jsonl.* annotates no image'):
        run_command(
            'browse', weak, '--images', tmp_path, '--classes', *CLASSES, '--page', page
        )
    assert not page.exists()


def test_inputs_that_contradict_each_other_lose_one_part(tmp_path, capsys):
    record = '{{"image": "a.jpg", "size": [4, 6], {}}}\n'
    first, second, out = (tmp_path / name for name in ('1.jsonl', '2.jsonl', 'o.jsonl'))
    first.write_text(record.format('"tags": ["cat"], "tags_complete": true'))
    second.write_text(record.format('"tags": ["dog"]'))
    with pytest.raises(SystemExit, match=r'1\.jsonl and .*2\.jsonl, a\.jpg'):
        run_command('convert', first, second, out)
    with pytest.raises(SystemExit):
        run_command('convert', first, second, out, '--on-error', 'skip')
    assert '"cat"' in out.read_text()
    assert "['dog'] are tags or shapes" in capsys.readouterr().out


def test_classes_are_renamed_and_joined(tmp_path):
    source, out = tmp_path / 'a.jsonl', tmp_path / 'b.jsonl'
    source.write_text(
        '{"image": "a.jpg", "size": [2, 3], "tags": ["Cat"],'
        ' "points": [{"label": "cat ", "at": [1, 1]}]}\n'
    )
    run_command('convert', source, out, '--rename', 'Cat=cat', 'cat =cat')
    (annotation,) = read_annotations(out)
    assert annotation.tags == {'cat'} and annotation.points == [Point('cat', 1, 1)]
    with pytest.raises(SystemExit, match='expected OLD=NEW'):
        run_command('convert', source, out, '--rename', 'Cat')
    with pytest.raises(SystemExit, match="there is no class 'Catt'"):
        run_command('convert', source, out, '--rename', 'Catt=cat')
