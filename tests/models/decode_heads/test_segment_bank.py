import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from resident_memory import needs_resident, resident
from safetensors.torch import save

from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.models import SegmentBank
from mmseg_spml.models.decode_heads import segment_bank as module
from mmseg_spml.models.decode_heads.segment_bank import bank_of_file


def bank():
    prototypes = torch.tensor([[1.0, 0], [0.8, 0.6], [0, 1], [-1, 0]])
    return SegmentBank(prototypes, torch.tensor([2, 2, 0, 1]))


def test_frequencies_of_the_nearest():
    queries = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    out = bank().class_frequencies(queries, neighbors=2, num_classes=3)
    # the nearest of the last one are its own segment and the upright one
    expected = [[0, 0, 1], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    assert out.tolist() == expected


def test_a_small_bank_is_used_whole():
    out = bank().class_frequencies(torch.tensor([[1.0, 0]]), 20, 3)
    assert out.tolist() == [[0.25, 0.25, 0.5]]


def test_save_and_load(tmp_path):
    path = tmp_path / 'deep' / 'bank.safetensors'
    bank().save(path)
    loaded = SegmentBank.load(path)
    assert torch.equal(loaded.prototypes, bank().prototypes)
    assert torch.equal(loaded.labels, bank().labels)
    assert loaded.labels.dtype == torch.int64
    assert loaded.origin == 'weak labels'
    assert loaded.to('cpu').origin == 'weak labels'


def test_a_path_may_be_a_string_without_suffix(tmp_path):
    bank().save(str(tmp_path / 'bank'))
    assert len(SegmentBank.load(str(tmp_path / 'bank'))) == 4
    assert [path.name for path in tmp_path.iterdir()] == ['bank']


@needs_resident
def test_a_file_is_mapped_and_read_when_it_is_needed(tmp_path):
    path = tmp_path / 'bank'
    SegmentBank(torch.zeros(1 << 20, 16), torch.zeros(1 << 20)).save(path)
    size = path.stat().st_size
    before = resident()
    loaded = SegmentBank.load(path)
    assert resident() - before < size / 10
    loaded.prototypes.sum()
    assert resident() - before > size / 2


def test_appending(tmp_path):
    path = tmp_path / 'bank'
    with pytest.raises(FileNotFoundError, match='mmseg-spml bank'):
        bank().save(path, append=True)
    bank().save(path)
    mapped = SegmentBank.load(path)
    more = SegmentBank(torch.tensor([[0.6, 0.8]]), torch.tensor([1]))
    more.save(path, append=True)
    loaded = SegmentBank.load(path)
    assert loaded.labels.tolist() == [2, 2, 0, 1, 1]
    assert torch.equal(loaded.prototypes[:4], bank().prototypes)
    # who has mapped the old file goes on with it
    assert torch.equal(mapped.prototypes, bank().prototypes)


@pytest.mark.parametrize(
    'other',
    [
        SegmentBank(torch.ones(1, 3), torch.zeros(1)),
        SegmentBank(torch.ones(1, 2), torch.zeros(1), 'full masks'),
    ],
)
def test_what_does_not_fit_is_not_appended(other, tmp_path):
    path = tmp_path / 'bank'
    bank().save(path)
    with pytest.raises(ValueError, match='one origin and one embedding'):
        other.save(path, append=True)
    assert len(SegmentBank.load(path)) == 4


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'bank'
    bank().save(path)

    @contextmanager
    def full_disk(path):
        with atomic_file(path) as file:
            file.write(b'half')
            raise OSError('disk full')

    monkeypatch.setattr(module, 'atomic_file', full_disk)
    other = SegmentBank(torch.ones(1, 2), torch.tensor([0]))
    with pytest.raises(OSError, match='disk full'):
        other.save(path)
    assert len(SegmentBank.load(path)) == 4


def test_missing_file_is_named(tmp_path):
    path = tmp_path / 'nowhere.safetensors'
    with pytest.raises(FileNotFoundError, match=r'nowhere.*mmseg-spml bank'):
        SegmentBank.load(path)


def write_text(path):
    path.write_text('no tensors at all')


def write_other_tensors(path):
    path.write_bytes(save(dict(prototypes=torch.zeros(1, 2))))


def write_without_origin(path):
    path.write_bytes(save(dict(prototypes=torch.zeros(1, 2), labels=torch.zeros(1))))


def write_empty(path):
    path.write_bytes(b'')


def write_cut_off(path):
    bank().save(path)
    path.write_bytes(path.read_bytes()[:-8])


def write_no_dimensions(path):
    write_bank(path, torch.zeros(2, 0), torch.zeros(2, dtype=torch.long))


def write_classes_of_floats(path):
    write_bank(path, torch.zeros(2, 3), torch.zeros(2))


def write_uneven(path):
    write_bank(path, torch.zeros(3, 2), torch.zeros(2, dtype=torch.long))


def write_no_rows(path):
    write_bank(path, torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))


def write_vectors(path):
    write_bank(path, torch.zeros(2), torch.zeros(2, dtype=torch.long))


def write_bank(path, prototypes, labels):
    tensors = dict(prototypes=prototypes, labels=labels)
    path.write_bytes(save(tensors, metadata=dict(origin='weak labels')))


@pytest.mark.parametrize(
    'write',
    [
        write_text,
        write_other_tensors,
        write_without_origin,
        write_empty,
        write_cut_off,
        write_no_dimensions,
        write_classes_of_floats,
        write_vectors,
        write_uneven,
        write_no_rows,
    ],
)
def test_other_files_are_refused_by_name(write, tmp_path):
    path = tmp_path / 'odd.bank'
    write(path)
    with pytest.raises(ValueError, match=r'odd\.bank is no segment bank'):
        SegmentBank.load(path)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_damaged_bank_is_not_used(tmp_path, value):
    path = tmp_path / 'a.bank'
    write_bank(path, torch.tensor([[1, 0], [0, value]]), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r'a.bank is damaged: 1 of its 2 prototypes'):
        bank_of_file(path, 2)
    write_bank(path, torch.eye(2), torch.tensor([0, -1]))
    with pytest.raises(ValueError, match=r'a.bank is damaged: .*class is -1'):
        bank_of_file(path, 2)


def test_appending_to_nothing_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        bank().save(tmp_path / 'new' / 'a.bank', append=True)
    assert not list(tmp_path.iterdir())


def test_processes_that_append_at_once(tmp_path):
    path = tmp_path / 'a.bank'
    bank().save(path)
    code = (
        'import sys\n'
        'import torch\n'
        'from mmseg_spml.models import SegmentBank\n'
        'for _ in range(40):\n'
        '    SegmentBank(torch.eye(2)[:1], torch.tensor([0])).save(sys.argv[1], True)\n'
    )
    command = [sys.executable, '-c', code, str(path)]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=300) for process in running] == [0, 0]
    assert len(SegmentBank.load(path)) == 4 + 2 * 40


@pytest.mark.parametrize('prototypes, labels', [(0, 0), (2, 3)])
def test_empty_or_uneven_banks(prototypes, labels):
    with pytest.raises(
        ValueError, match=f'{prototypes} prototypes and {labels} labels'
    ):
        SegmentBank(torch.ones(prototypes, 2), torch.zeros(labels))


def test_joining_parts():
    parts = [
        (torch.ones(2, 3), torch.tensor([1, 0])),
        (torch.empty(0, 3), torch.empty(0, dtype=torch.long)),
        (torch.zeros(1, 3), torch.tensor([5])),
    ]
    joined = SegmentBank.from_parts(parts)
    assert joined.labels.tolist() == [1, 0, 5]
    assert joined.prototypes.sum() == 6
    with pytest.raises(ValueError, match='Are any pixels'):
        SegmentBank.from_parts([])
    with pytest.raises(ValueError, match='Are any pixels'):
        SegmentBank.from_parts(parts[1:2])
