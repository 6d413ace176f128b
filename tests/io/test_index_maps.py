import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_spml.io import atomic_file
from mmseg_spml.io.index_maps import read_index_map, write_index_map


@pytest.mark.parametrize('highest', [255, 256, 65535])
def test_written_ids_come_back(tmp_path, highest):
    path = str(tmp_path / 'new' / 'a.png')
    ids = np.array([[0, 3], [7, highest]], np.int32)
    write_index_map(path, ids)
    assert read_index_map(path).tolist() == ids.tolist()
    with Image.open(path) as image:
        assert (image.mode == 'L') == (highest < 256)
    assert [file.name for file in (tmp_path / 'new').iterdir()] == ['a.png']


@pytest.mark.parametrize('ids', [[[65536]], [[-1]], [0, 1]])
def test_ids_out_of_range(tmp_path, ids):
    with pytest.raises(ValueError, match=r'a\.png'):
        write_index_map(str(tmp_path / 'a.png'), np.array(ids))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'a.png'
    write_index_map(str(path), np.array([[1]]))

    def fail(*paths):
        raise OSError('disk full')

    monkeypatch.setattr(atomic_file.os, 'replace', fail)
    with pytest.raises(OSError, match='disk full'):
        write_index_map(str(path), np.array([[2]]))
    assert read_index_map(str(path)).tolist() == [[1]]
    assert [file.name for file in tmp_path.iterdir()] == ['a.png']


def test_one_bit_files_and_folders(tmp_path):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / 'one.png')
    ids = read_index_map(str(tmp_path / 'one.png'))
    assert ids.tolist() == [[0, 1]]
    assert ids.dtype == np.uint8
    with pytest.raises(FileNotFoundError, match='region map not found'):
        read_index_map(str(tmp_path), 'region map')


@pytest.mark.parametrize('largest', [1, 255, 256, 65535])
@pytest.mark.parametrize('shape', [(1, 1), (3, 1), (1, 7), (37, 53)])
def test_files_are_read_alike_by_other_programs(tmp_path, shape, largest):
    ids = np.random.default_rng(0).integers(0, largest + 1, shape)
    ids[-1, -1] = largest
    path = str(tmp_path / 'a.png')
    write_index_map(path, ids, text={'key': 'a value', 'name': 'Zürich, 東京'})
    assert np.array_equal(read_index_map(path), ids)
    assert np.array_equal(cv2.imread(path, cv2.IMREAD_UNCHANGED), ids)
    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:
        assert image.text == {'key': 'a value', 'name': 'Zürich, 東京'}
