"""Tables of tags in JSON and NumPy files."""

import json

import numpy as np
import pytest

from mmseg_spml.annotations.tag_table import TagTable


class TestTagTable:
    def test_other_classes(self, tmp_path):
        path = tmp_path / 'tags.json'
        path.write_text(json.dumps(dict(classes=['x', 'y', 'z'], tags={'a': [1]})))
        assert TagTable(str(path), 3)['a'].tolist() == [False, True, False]
        with pytest.raises(ValueError, match=r'tags\.json is for the classes'):
            TagTable(str(path), 3, ('background', 'cat', 'dog'))

    @pytest.mark.parametrize(
        'content, message',
        [
            ('{', 'JSON'),
            ('[1]', 'dictionary'),
            ('{"a": [3]}', r'0\.\.2'),
            ('{"a": [-1]}', r'0\.\.2'),
            ('{"a": ["cat"]}', 'class ids'),
            ('{"a": [[1]]}', 'class ids .* got list'),
            ('{"a": [0.5]}', 'class ids'),
            ('{"a": [NaN]}', 'class ids'),
            ('{"a": [1e300]}', r'0\.\.2'),
            ('{"a": [99999999999999999999]}', 'class ids'),
            ('{"classes": "cat", "tags": {}}', 'classes: expected a list'),
            ('{"classes": [1], "tags": {}}', 'classes are names'),
            ('{"a.jpg": [1], "a.png": [2]}', 'name of its own'),
            ('{"x/a": [1], "y/a": [2]}', r'no entry .* a, but 2 .* such as x/a'),
        ],
    )
    def test_bad_content(self, tmp_path, content, message):
        path = tmp_path / 'tags.json'
        path.write_text(content)
        with pytest.raises(ValueError, match=message) as error:
            TagTable(str(path), 3)['a']
        assert 'tags.json' in str(error.value)

    @pytest.mark.parametrize(
        'entry, expected',
        [
            (np.array([1, 0, 0, 1], np.float32), [1, 0, 0, 1]),
            (np.array([0, 1, 1], np.float32), [0, 0, 1, 1]),  # without background
            (np.array([1, 0, 0, 0]), [1, 0, 0, 0]),
            (np.array([1, 3]), [0, 1, 0, 1]),
            (np.array([0, 2, 3]), [1, 0, 1, 1]),
            (np.array([False, True, False]), [0, 0, 1, 0]),
            ([1], [0, 1, 0, 0]),
            ([1, 0], [1, 1, 0, 0]),
            ([0, 0, 1, 1], [0, 0, 1, 1]),
            ([1, 0, 0], [0, 1, 0, 0]),  # without background
            ([0.0, 0.0, 1.0, 0.0], [0, 0, 1, 0]),
            ([], [0, 0, 0, 0]),
        ],
    )
    def test_numpy_entries(self, tmp_path, entry, expected):
        path = str(tmp_path / 'tags.npy')
        np.save(path, {'sub.x/a.b.jpg': entry}, allow_pickle=True)
        assert TagTable(path, 4)['other/a.b.png'].astype(int).tolist() == expected

    def test_rows_of_another_length_are_refused(self, tmp_path):
        path = tmp_path / 'tags.json'
        path.write_text('{"a": [0, 1, 0, 1, 1], "b": [0, 0, 0, 0, 1]}')
        with pytest.raises(ValueError, match=r'5 entries of 0 and 1 each'):
            TagTable(str(path), 4)

    @pytest.mark.parametrize('entry, tags', [([1, 1], [0, 1, 0]), ([0, 0], [1, 0, 0])])
    def test_ids_may_be_repeated(self, tmp_path, entry, tags):
        path = tmp_path / 'tags.json'
        path.write_text(json.dumps({'a': entry, 'b': [1, 1, 2]}))
        assert TagTable(str(path), 3)['a'].astype(int).tolist() == tags

    def test_nested_entries_end_soon(self, tmp_path):
        entry = [1]
        for _ in range(60):
            entry = [entry, entry]  # as text, or as an array, it would be endless
        path = str(tmp_path / 'tags.npy')
        np.save(path, np.array({'a': entry}, object), allow_pickle=True)
        with pytest.raises(ValueError, match=r'class ids for image a in .*got list'):
            TagTable(path, 3)['a']

    def test_classes_in_a_numpy_file(self, tmp_path):
        path = str(tmp_path / 'tags.npy')
        tags = {'a': np.array([0, 1, 0], bool)}
        np.save(path, {'classes': ['x', 'y', 'z'], 'tags': tags}, allow_pickle=True)
        assert TagTable(path, 3, 'xyz')['a'].tolist() == [False, True, False]
        with pytest.raises(ValueError, match=r'tags\.npy is for the classes'):
            TagTable(path, 3, ('background', 'cat', 'dog'))

    def test_missing_files(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='tags_file'):
            TagTable(str(tmp_path / 'tags.json'), 3)
        path = tmp_path / 'tags.npy'
        path.write_text('{"a": [1]}')
        with pytest.raises(ValueError, match=r'tags\.npy: .*another file'):
            TagTable(str(path), 3)

    def test_ambiguous_entry(self, tmp_path):
        path = str(tmp_path / 'tags.npy')
        np.save(path, {'a': np.array([0, 1])}, allow_pickle=True)
        with pytest.raises(ValueError, match=r'a in .*tags\.npy.*bool'):
            TagTable(path, 3)['a']

    def test_integer_names(self, tmp_path):
        path = str(tmp_path / 'tags.npy')
        np.save(path, {2007000032: np.array([1])}, allow_pickle=True)
        table = TagTable(path, 3)
        assert table['2007_000032.jpg'].tolist() == [False, True, False]
        assert '2007_000033.jpg' not in table

    def test_names_of_equal_files(self, tmp_path):
        path = tmp_path / 'tags.json'
        tags = {'x/a.jpg': [0], 'y/a': [1], 'a': [2], 'z/b': [1]}
        path.write_text(json.dumps(tags))
        table = TagTable(str(path), 3)
        names = ['/data/x/a.png', 'w/y/a.jpg', 'w/a.jpg', 'a', 'w/b', 'w/c']
        found = ['x/a', 'y/a', 'a', 'a', 'z/b', None]
        assert [table.key_of(name) for name in names] == found
        assert table['/data/x/a.png'].tolist() == [True, False, False]
        with pytest.raises(ValueError, match='no entry for the image w/c. Add it'):
            table['w/c']
