"""Pickled numpy files are read, and run nothing."""

import os
import pickle

import numpy as np
import pytest

from mmseg_spml.functional.numpy_files import load_numpy_object


class Evil:
    def __reduce__(self):
        return os.mkdir, ('evil_was_here',)


class TestRestrictedPickle:
    @staticmethod
    def write(path, stream):
        with open(path, 'wb') as file:
            header = dict(descr='|O', fortran_order=False, shape=())
            np.lib.format.write_array_header_1_0(file, header)
            file.write(stream)

    @pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
    def test_every_protocol(self, tmp_path, protocol):
        path = tmp_path / 'a.npy'
        value = {'a': np.arange(3.0), 'b': np.float32(2), 'c': [1, 'x', None]}
        array = np.empty((), object)
        array[()] = value
        self.write(path, pickle.dumps(array, protocol=protocol))
        loaded = load_numpy_object(str(path))
        assert loaded['a'].tolist() == [0, 1, 2]
        assert loaded['b'] == 2
        assert loaded['c'] == [1, 'x', None]

    def test_code_is_not_run(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        np.save('evil.npy', {'a': Evil()}, allow_pickle=True)
        with pytest.raises(ValueError, match=r'evil\.npy.*mkdir'):
            load_numpy_object('evil.npy')
        assert not os.path.exists('evil_was_here')

    def test_other_codecs_are_refused(self, tmp_path):
        stream = pickle.dumps(b'a', protocol=2)
        assert b'latin1' in stream
        path = tmp_path / 'codec.npy'
        self.write(path, stream.replace(b'latin1', b'utf_16'))
        with pytest.raises(ValueError, match=r'codec\.npy.*utf_16'):
            load_numpy_object(str(path))

    @pytest.mark.parametrize('core', [b'numpy.core', b'numpy._core'])
    def test_files_of_both_generations_of_numpy(self, tmp_path, core):
        stream = pickle.dumps({'a': np.arange(3), 'b': np.int64(4)}, protocol=2)
        for name in (b'numpy._core', b'numpy.core'):
            stream = stream.replace(name + b'.', core + b'.')
        path = tmp_path / 'a.npy'
        self.write(path, stream)
        loaded = load_numpy_object(str(path))
        assert loaded['a'].tolist() == [0, 1, 2]
        assert loaded['b'] == 4

    @pytest.mark.parametrize('content', [b'', b'nothing', b'\x93NUMPY\x01\x00'])
    def test_no_npy_file(self, tmp_path, content):
        path = tmp_path / 'x.npy'
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'x\.npy'):
            load_numpy_object(str(path))

    def test_plain_array(self, tmp_path):
        np.save(tmp_path / 'x.npy', np.arange(4))
        assert load_numpy_object(str(tmp_path / 'x.npy')).tolist() == [0, 1, 2, 3]
