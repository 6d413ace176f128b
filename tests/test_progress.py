"""The bar passes items on, lazily, and keeps standard output free."""

import pytest

from mmseg_spml.progress import watched


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
    assert 'reading' in err and '3/?' in err


def test_the_number_of_items_is_told(capsys):
    assert list(watched('abcd', 'writing')) == list('abcd')
    assert '4/4' in capsys.readouterr().err


def test_errors_pass():
    def items():
        yield 1
        raise ValueError('broken')

    bar = watched(items(), 'reading')
    next(bar)
    with pytest.raises(ValueError, match='broken'):
        next(bar)
