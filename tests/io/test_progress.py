"""Tests that bars pass items on lazily and write only to standard error."""

import sys

import pytest

from mmseg_spml.io.progress import JobBars, watched


def test_items_pass_one_by_one(capsys):
    taken = []

    def items():
        for number in range(3):
            taken.append(number)
            yield number

    bar = watched(items(), 'reading')
    assert next(bar) == 0
    assert taken == [0]
    assert list(bar) == [1, 2]
    out, err = capsys.readouterr()
    assert out == ''
    assert err == 'reading [3/3]  0:00:00 passed\n'


def test_the_number_of_items_is_told(capsys):
    assert list(watched('abcd', 'writing')) == list('abcd')
    assert '[4/4]' in capsys.readouterr().err


def test_time_left_in_a_log(capsys, monkeypatch):
    clock = iter(range(0, 100, 3))
    monkeypatch.setattr('time.monotonic', lambda: next(clock))
    assert list(watched('abcdef', 'making maps')) == list('abcdef')
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        'making maps [2/6]  eta: 0:00:12  0:00:06 passed',
        'making maps [4/6]  eta: 0:00:06  0:00:12 passed',
        'making maps [6/6]  0:00:21 passed',
    ]


def test_an_unknown_number_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    monkeypatch.setenv('TERM', 'xterm')
    assert list(watched(iter('abc'), 'reading')) == list('abc')
    shown = capsys.readouterr().err
    assert 'reading' in shown and '/?' not in shown


def test_errors_pass():
    def items():
        yield 1
        raise ValueError('broken')

    bar = watched(items(), 'reading')
    next(bar)
    with pytest.raises(ValueError, match='broken'):
        next(bar)


def test_bars_of_jobs(capsys, monkeypatch):
    """On a terminal, each job is shown with its exact name while it runs."""

    def two_jobs():
        with JobBars() as bars:
            with bars.job('first grid=[3,3]') as one, bars.job('second') as two:
                one('train', 50, 600, '0:01:10')
                two('test', 1, 2, '0:00:01')
                bars._bars.refresh()
                assert len(bars._bars.tasks) == 2
            assert not bars._bars.tasks
        return capsys.readouterr().err

    assert two_jobs() == ''
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '120')
    shown = two_jobs()
    assert 'first grid=[3,3], train' in shown and '50/600' in shown
    assert '0:01:10 left' in shown and 'second, test' in shown
