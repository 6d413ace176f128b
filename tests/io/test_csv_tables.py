"""CSV files with names that spreadsheets would run as formulas."""

import csv

import cv2
import numpy as np
import pytest

from mmseg_spml.annotations.formats import tag_csv
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.io.csv_tables import (
    guarded,
    read_csv,
    unguarded,
    write_csv,
    write_csv_of_dicts,
)

NAMES = [
    '=HYPERLINK("x").jpg',
    'a\r=1+1.jpg',
    'a\n=1+1.jpg',
    '+a',
    '-a.jpg',
    '@a',
    "'=a",
    "''+b",
    '\ta',
    "'a",
    '',
    'a',
]


@pytest.mark.parametrize('name', NAMES)
def test_names_come_back_and_start_no_formula(name):
    cell = guarded(name)
    assert unguarded(cell) == name
    assert cell[:1] not in '=+-@\t\r' or not cell


@pytest.mark.parametrize('number', ['-1', '+2.5', '-1e-05', '.5', '0'])
def test_numbers_stay(number):
    assert guarded(number) == unguarded(number) == number


def test_tables(tmp_path):
    path = tmp_path / 'a.csv'
    write_csv(path, [['image', '=x'], *([name, -1] for name in NAMES)])
    assert read_csv(path) == [{'image': name, '=x': '-1'} for name in NAMES]
    with open(path, newline='') as file:
        cells = [row[0] for row in csv.reader(file)]
    assert not any(cell.startswith(('=', '+', '-', '@')) for cell in cells)
    path.write_text('\ufeffimage,x\na\n', encoding='utf-8')
    assert read_csv(path) == [{'image': 'a', 'x': ''}]
    path.write_text('')
    assert read_csv(path) == []


@pytest.mark.parametrize('complete', [False, True])
def test_tables_of_tags(tmp_path, complete):
    one = WeakAnnotation('=a.jpg', 4, 6, tags={'@cat', 'dog'}, tags_complete=complete)
    path = tmp_path / 'tags.csv'
    tag_csv.write([one], path)
    assert "\n'=a.jpg," in path.read_text()
    cv2.imwrite(str(tmp_path / '=a.jpg'), np.zeros((4, 6, 3), np.uint8))
    assert list(tag_csv.read(path, images=tmp_path)) == [one]


def test_rows_of_other_columns(tmp_path):
    path = tmp_path / 'a.csv'
    write_csv_of_dicts(path, [dict(a=1, b=2), dict(b=3, a=4)])
    assert read_csv(path) == [dict(a='1', b='2'), dict(a='4', b='3')]
    with pytest.raises(
        ValueError, match=r'a\.csv differ in their columns: a, b, and a'
    ):
        write_csv_of_dicts(path, [dict(a=1, b=2), dict(a=3)])
    assert len(read_csv(path)) == 2
