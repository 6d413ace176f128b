"""Tests of the selection of classes on a few masks and tags."""

import json
import sys

import numpy as np
import pytest

from experiments import select_classes
from experiments.class_selection import read_tags, selected_mask, tag_shares
from mmseg_spml.io.index_maps import read_index_map, write_index_map

CLASSES = ['background', 'skin', 'hat', 'bag', 'belt']


@pytest.fixture
def folder(tmp_path):
    # Skin is on all images, hat on 2 of 4, bag on 3 of 4, and belt on none.
    write_index_map(str(tmp_path / 'masks' / 'a.png'), np.array([[0, 1, 2, 3, 255]]))
    write_index_map(str(tmp_path / 'masks' / 'b.png'), np.array([[1, 1, 3, 0, 0]]))
    tags = {'c': [0, 1, 2, 3], 'd': [0, 1]}
    (tmp_path / 'tags.json').write_text(json.dumps({'classes': CLASSES, 'tags': tags}))
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Function that calls the tool in the folder, and returns all output."""
    monkeypatch.chdir(folder)

    def call(*arguments, out='out', fails=False):
        command = ['select_classes', 'masks', 'tags.json', out, *arguments]
        monkeypatch.setattr(sys, 'argv', command)
        message = ''
        try:
            select_classes.main()
        except SystemExit as end:
            message = end.code
        assert bool(message) == fails, message
        return ''.join([*capsys.readouterr(), message])

    return call


def test_classes_that_vary_are_kept(run, folder):
    output = run()
    assert read_index_map(str(folder / 'out/masks/a.png')).tolist() == [
        [0, 0, 1, 2, 255]
    ]
    assert read_index_map(str(folder / 'out/masks/b.png')).tolist() == [[0, 0, 2, 0, 0]]
    classes, tags = read_tags(folder / 'out' / 'tags.json')
    assert classes == ('background', 'hat', 'bag')
    assert tags == {'a': [1, 2], 'b': [2], 'c': [1, 2], 'd': []}
    assert tag_shares(tags, 3).tolist() == [0, 0.5, 0.75]
    assert 'skin                     100.0%  background' in output


def test_named_classes_are_kept_in_the_order_of_their_ids(run, folder):
    run('--keep', 'bag', 'skin')
    assert read_tags(folder / 'out' / 'tags.json')[0] == ('background', 'skin', 'bag')


def test_mistakes(run, folder):
    assert "'boot' is none of" in run('--keep', 'boot', fails=True)
    before = (folder / 'tags.json').read_bytes()
    assert 'write elsewhere' in run(out='.', fails=True)
    assert (folder / 'tags.json').read_bytes() == before
    assert 'no class is on' in run('--share', '0.1', '0.2', fails=True)


def test_malformed_tag_files(tmp_path):
    path = tmp_path / 'tags.json'
    with pytest.raises(FileNotFoundError, match='no tag file'):
        read_tags(path)
    for content, what in (
        ('[1]', 'must hold'),
        ('{', 'must hold'),
        ('{"classes": ["a"], "tags": {"c": 0}}', 'must hold'),
        ('{"classes": ["a"], "tags": {"c": [1]}}', 'outside of 0..0'),
        ('{"classes": ["a"], "tags": {"c.jpg": [0], "c": []}}', 'suffix only'),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=what):
            read_tags(path)


def test_values_that_are_no_class():
    with pytest.raises(ValueError, match='got 9'):
        selected_mask(np.array([[0, 9, 255]]), [1], 4)
    with pytest.raises(ValueError, match='got 300'):
        selected_mask(np.array([[0, 300]]), [1], 4)
