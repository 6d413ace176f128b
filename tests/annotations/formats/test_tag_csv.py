"""Tables of tags: lists and multi-hot rows, and the completeness of both."""

import random

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import tag_csv
from mmseg_spml.annotations.label_map import known_tags
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Stroke,
    WeakAnnotation,
)

NAMES = ['a.jpg', 'b.jpg', 'c.jpg', 'x/ä b.png', 'train_0.jpg', 'train_1.JPG']


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Write pictures 6 wide and 4 high."""
    folder = tmp_path_factory.mktemp('images')
    (folder / 'x').mkdir()
    for name in [*NAMES, '000005.jpg', '000009.jpg', 'a b.jpg', 'twice.jpg']:
        Image.new('RGB', (6, 4)).save(folder / name)
    Image.new('RGB', (6, 4)).save(folder / 'twice.png')
    (folder / 'text.jpg').write_text('no picture')
    return folder


def of(image, *tags, **parts):
    return WeakAnnotation(image, 4, 6, tags=tags, **parts)


def complete(image, *tags):
    return of(image, *tags, tags_complete=True)


def table(tmp_path, text):
    path = tmp_path / 'tags.csv'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path, images):
    return list(tag_csv.read(path, images=images))


def recognized(path):
    return tag_csv.recognizes(path, path.read_bytes()[:65536])


def test_a_list_as_kaggle_writes_it(tmp_path, images):
    # This is train_v2.csv of "Planet: Understanding the Amazon from Space".
    path = table(
        tmp_path,
        'image_name,tags\n'
        'train_0,haze primary\n'
        'train_1,agriculture clear primary water\n',
    )
    assert recognized(path)
    assert read(path, images) == [
        of('train_0.jpg', 'haze', 'primary'),
        of('train_1.JPG', 'agriculture', 'clear', 'primary', 'water'),
    ]


def test_a_list_as_fastai_writes_it(tmp_path, images):
    # This is train.csv of fastai's PASCAL_2007.
    path = table(
        tmp_path,
        'fname,labels,is_valid\n000005.jpg,chair,True\n000009.jpg,horse person,True\n',
    )
    assert recognized(path)
    assert read(path, images) == [
        of('000005.jpg', 'chair'),
        of('000009.jpg', 'horse', 'person'),
    ]


def test_lists_of_python_and_json(tmp_path, images):
    path = table(
        tmp_path,
        'image,labels\n'
        """a.jpg,"['traffic light', 'dog']"\n"""
        'b.jpg,[]\n'
        """c.jpg,"[""it's"", ""a, b""]"\n"""
        """a b.jpg,"[""\\ud83d\\ude00"", ""a\\/b""]"\n"""
        """000005.jpg,"['the ""big"" ""cat""']"\n""",
    )
    assert read(path, images) == [
        of('a.jpg', 'traffic light', 'dog'),
        of('b.jpg'),
        of('c.jpg', "it's", 'a, b'),
        of('a b.jpg', '\N{GRINNING FACE}', 'a/b'),
        of('000005.jpg', 'the "big" "cat"'),
    ]
    path = table(tmp_path, """image,label\na.jpg,"['cat', 'dog']"\na.jpg,cow\n""")
    assert read(path, images) == [of('a.jpg', 'cat', 'cow', 'dog')]
    # NumPy prints arrays so; Python would read the name "catdog".
    for cell in ("['cat' 'dog']", "['cat''dog']", '[cat dog]', "['cat', 1]"):
        path = table(tmp_path, f'image,labels\na.jpg,"{cell}"\n')
        with pytest.raises(AnnotationError, match='expected a list of tags such'):
            read(path, images)


def test_separators(tmp_path, images):
    text = (
        '\ufeffimage,tags\r\na.jpg,traffic light; cat\r\n\r\nb.jpg,traffic light;\r\n'
    )
    path = table(tmp_path, text + 'a b,polar bear\r\nc.jpg,\r\n')
    # A name of two words stays one where it is the only one of its image.
    assert read(path, images) == [
        of('a.jpg', 'traffic light', 'cat'),
        of('b.jpg', 'traffic light'),
        of('a b.jpg', 'polar bear'),
        of('c.jpg'),
    ]
    path = table(tmp_path, 'image,tags\na.jpg,"cat  dog"\nb.jpg,cat\n')
    assert read(path, images) == [of('a.jpg', 'cat', 'dog'), of('b.jpg', 'cat')]


@pytest.mark.parametrize('delimiter', [',', ';', '\t', '|'])
def test_delimiters_and_words_of_tables(tmp_path, images, delimiter):
    rows = (('image', 'cat', 'dog'), ('a', 'True', 'no'), ('b.jpg', 'false', 'YES'))
    path = tmp_path / 'tags.csv'
    path.write_text('\n'.join(delimiter.join(row) for row in rows))
    assert tag_csv.recognizes(path, path.read_bytes())
    first, second = tag_csv.read(path, images=images)
    assert (first.tags, second.tags) == ({'cat'}, {'dog'})
    assert first.tags_complete and second.tags_complete


@pytest.mark.parametrize(
    'text', ['image;tags\na.jpg;cat,dog\n', 'image,tags\na.jpg,cat|dog\n']
)
def test_tags_are_separated_by_another_character(tmp_path, images, text):
    path = tmp_path / 'tags.csv'
    path.write_text(text)
    (annotation,) = tag_csv.read(path, images=images)
    assert annotation.tags == {'cat', 'dog'}


def test_rows_with_other_separators(tmp_path, images):
    path = table(tmp_path, 'image;tags\na.jpg;"cat;dog"\nb.jpg;cat,dog\nc.jpg;cat\n')
    with pytest.raises(AnnotationError, match="'cat,dog' has ',' .* have ';'"):
        read(path, images)
    path = table(tmp_path, 'image;tags\na.jpg;"hen, brown;dog"\nb.jpg;cat\n')
    assert read(path, images)[0] == of('a.jpg', 'hen, brown', 'dog')


def test_one_label_a_row(tmp_path, images):
    path = tmp_path / 'tags.csv'
    path.write_text('filename;class\na;cat\nb;dog\na;dog\na;cat\nb;\n')
    assert tag_csv.recognizes(path, path.read_bytes())
    first, second = tag_csv.read(path, images=images)
    assert (first.tags, second.tags) == ({'cat', 'dog'}, {'dog'})
    assert not first.tags_complete


def test_multi_hot_rows(tmp_path, images):
    path = table(
        tmp_path,
        'Filename, cat, dog\na.jpg, 1, 0\nb.jpg, 0.0, 0\nc.jpg, -1, 1\ntrain_0, ,0\n',
    )
    assert recognized(path)
    assert read(path, images) == [
        complete('a.jpg', 'cat'),
        complete('b.jpg'),
        of('c.jpg', 'dog'),
        of('train_0.jpg', absent={'dog'}),
    ]


def test_stated_completeness(tmp_path, images):
    path = table(
        tmp_path,
        'image,cat,tags_complete,dog\na.jpg,1,0,0\nb.jpg,0,1,0\nc.jpg,1,0,-1\n',
    )
    assert read(path, images) == [
        of('a.jpg', 'cat', absent={'dog'}),
        complete('b.jpg'),
        of('c.jpg', 'cat'),
    ]


def test_lists_are_written_where_nothing_is_excluded(tmp_path, images):
    annotations = [of('a.jpg', 'cat', 'dog'), of('b.jpg', 'traffic light'), of('c.jpg')]
    path = tmp_path / 'new' / 'tags.csv'
    assert tag_csv.write(annotations, path) == 0
    assert (
        path.read_text() == 'image,tags\na.jpg,cat;dog;\nb.jpg,traffic light;\nc.jpg,\n'
    )
    assert recognized(path)
    assert read(path, images) == annotations


def test_multi_hot_rows_are_written_otherwise(tmp_path, images):
    annotations = [complete('a.jpg', 'cat'), of('x/ä b.png', 'cat'), complete('c.jpg')]
    path = tmp_path / 'tags.csv'
    classes = ('background', 'dog', 'cat')
    assert tag_csv.write(annotations, path, classes=classes) == 0
    assert path.read_text(encoding='utf-8') == (
        'image,dog,cat\na.jpg,0,1\nx/ä b.png,-1,1\nc.jpg,0,0\n'
    )
    assert recognized(path)
    assert read(path, images) == annotations


@pytest.mark.parametrize(
    'annotations',
    [
        [of('a.jpg', absent={'cat'})],
        [of('a.jpg', 'cat', absent={'dog'}), of('b.jpg', 'dog')],
        [complete('a.jpg')],
        [complete('a.jpg', 'background', 'cat'), of('b.jpg')],
        [of('a.jpg', 'cat'), complete('b.jpg', 'cat')],
    ],
)
def test_no_more_is_claimed_than_was_known(annotations, tmp_path, images):
    path = tmp_path / 'tags.csv'
    assert tag_csv.write(annotations, path) == 0
    assert recognized(path)
    assert read(path, images) == annotations


@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data())
def test_knowledge_survives_a_round_trip(data, tmp_path_factory, images):
    classes = ['background', 'cat', 'dog', 'tv monitor']
    subsets = st.frozensets(st.sampled_from(classes))
    annotations = []
    for name in NAMES[: data.draw(st.integers(0, 4))]:
        tags = data.draw(subsets)
        absent = data.draw(subsets) - tags
        whole = data.draw(st.booleans())
        annotations.append(of(name, *tags, absent=absent, tags_complete=whole))
    path = tmp_path_factory.getbasetemp() / 'round_trip.csv'
    assert tag_csv.write(annotations, path) == 0
    again = read(path, images)
    assert [one.image for one in again] == [one.image for one in annotations]
    for one, other in zip(annotations, again):
        assert one.tags_complete == other.tags_complete
        for known, read_again in zip(
            known_tags(one, classes), known_tags(other, classes)
        ):
            # A complete list may forget an absent background, but nothing else.
            assert (known == read_again)[1:].all()


def test_labels_of_shapes_are_tags_and_shapes_are_left_out(tmp_path, images):
    annotation = of(
        'a.jpg',
        'cat',
        boxes=[Box('dog', 0, 0, 1, 1), Box(None, 0, 0, 2, 2)],
        points=[Point('background', 1, 1)],
        strokes=[Stroke('dog', [(1, 1)])],
    )
    path = tmp_path / 'tags.csv'
    assert tag_csv.write([annotation], path) == 4
    assert read(path, images) == [of('a.jpg', 'cat', 'dog')]


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / 'tags.csv'
    for name in ('a;b', ' cat', 'Tags', 'tags_complete'):
        with pytest.raises(AnnotationError, match='rename it'):
            tag_csv.write([of('a.jpg', name)], path)
    with pytest.raises(AnnotationError, match=r"\['cow'\] are none of \['cat'\]"):
        tag_csv.write([of('a.jpg', 'cow')], path, classes=['cat'])
    marked = of('a.jpg', absent={'dog'}, boxes=[Box('dog', 0, 0, 1, 1)])
    with pytest.raises(AnnotationError, match=r"a.jpg: .*exclude \['dog'\]"):
        tag_csv.write([marked], path)
    assert not path.exists()


@pytest.mark.parametrize(
    'text, what',
    [
        ('', ': expected a header'),
        ('\n\n', ': expected a header'),
        ('picture,tags\n', 'line 1: the header must name the image'),
        ('image\na.jpg\n', 'line 1: the header must name the image'),
        ('image:tags\na.jpg:cat\n', 'line 1: the header'),
        ('image,cat,cat\n', 'line 1: .*different names'),
        ('image,cat,\n', 'line 1: .*different names'),
        ('image,tags,cat\n', r"line 1: beside 'tags'.*\['cat'\]"),
        ('image,tags\na.jpg\n', 'line 2: expected 2 cells like the header, got 1'),
        ('image,tags\na.jpg,cat\nb.jpg,cat,dog\n', 'line 3: expected 2 .* got 3'),
        ('image,tags\nno.jpg,cat\n', "line 2: there is no image 'no.jpg'"),
        ('image,tags\n../images/a.jpg,cat\n', 'line 2: .*leads out'),
        ('image,tags\n/etc/passwd,cat\n', 'line 2: .*leads out'),
        ('image,tags\n,cat\n', 'line 2: an image needs a file name'),
        ('image,tags\n.,cat\n', 'line 2: an image needs a file name'),
        ('image,tags\nx,cat\n', 'line 2: there is no image'),
        ('image,tags\n' + 'a' * 9999 + ',cat\n', 'line 2: there is no image'),
        ('image,tags\na\0.jpg,cat\n', 'line 2: '),
        ('image,tags\ntwice,cat\n', 'line 2: .*twice.jpg.*twice.png'),
        ('image,tags\ntext.jpg,cat\n', 'line 2: .*text.jpg cannot be read'),
        ('image,cat\na.jpg,2\n', "line 2: 'cat' is 1 .*got '2'"),
        ('image,cat\na.jpg,nan\n', "line 2: 'cat' is 1 .*got 'nan'"),
        ('image,cat\na.jpg,' + '1' * 5000 + '\n', "line 2: 'cat' is 1"),
        ('image,cat,tags_complete\na.jpg,-1,1\n', 'line 2: tags_complete is 1 or 0'),
        ('image,cat,tags_complete\na.jpg,1,\n', 'line 2: tags_complete is 1 or 0'),
        ('image,tags\n"a.jpg,cat\n', 'line 2: not a CSV table'),
        ('image,tags\n"a.jpg"b,cat\n', 'line 2: not a CSV table'),
        ('image,tags\na.jpg,' + 'c' * 200_000 + '\n', 'line 2: not a CSV table'),
        (b'image,tags\na.jpg,\xff\n', 'line 2: not UTF-8 text'),
        ('image,tags\na.jpg,cat\n'.encode('utf-16'), 'not UTF-8 text'),
    ],
)  # fmt: skip
def test_malformed_tables(text, what, tmp_path, images):
    with pytest.raises(AnnotationError, match=f'tags.csv.*{what}'):
        read(table(tmp_path, text), images)


def test_missing_folders_and_files(tmp_path, images):
    path = table(tmp_path, 'image,tags\na.jpg,cat\n')
    with pytest.raises(AnnotationError, match='tags.csv, line 2: .*--images'):
        read(path, None)
    with pytest.raises(AnnotationError, match='no image'):
        read(path, tmp_path / 'nowhere')
    with pytest.raises(AnnotationError, match='got a folder'):
        read(tmp_path, images)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / 'nothing.csv', images)


@pytest.mark.parametrize(
    'text',
    [
        '',
        'image,cat\n',
        'filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,6,4,cat,0,0,1,1\n',
        'filename,file_size,file_attributes,region_count\na.jpg,1,{},0\n',
        'ImageID,Source,LabelName,Confidence\n0001,verification,/m/0,1\n',
        '"',
    ],
)
def test_tables_of_something_else(text, tmp_path):
    assert not recognized(table(tmp_path, text))
    assert not tag_csv.recognizes(tmp_path, b'')
    assert not tag_csv.recognizes(tmp_path / 'a.txt', b'image,tags\na.jpg,cat\n')


STRANGE = [
    '',
    '1',
    '-1',
    'nan',
    '9' * 5000,
    '"',
    '"x"',
    '\0',
    ',',
    '\n',
    ';',
    '..',
    'ß',
]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_damaged_tables_are_read_or_refused(seed, tmp_path_factory, images):
    rng = random.Random(seed)
    rows = rng.choice(
        [
            [['image', 'tags'], ['a.jpg', 'cat dog'], ['b', 'cat;dog']],
            [['image', 'cat', 'tags_complete'], ['a.jpg', '1', '0'], ['b', '0', '1']],
        ]
    )
    for _ in range(rng.randint(1, 3)):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(STRANGE)
    data = '\n'.join(','.join(row) for row in rows).encode()
    path = tmp_path_factory.getbasetemp() / 'damaged.csv'
    path.write_bytes(data[: rng.randint(0, 2 * len(data))])
    recognized(path)
    try:
        read(path, images)
    except AnnotationError as error:
        assert 'damaged.csv' in str(error)


def test_names_of_arrays(tmp_path):
    np.save(tmp_path / 'a.npy', np.zeros((4, 6, 5)))
    path = table(tmp_path, 'image,tags\na,cat\n')
    (annotation,) = tag_csv.read(path, images=tmp_path)
    assert (annotation.image, annotation.size) == ('a.npy', (4, 6))
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((4, 6), np.uint8))
    (annotation,) = tag_csv.read(path, images=tmp_path)
    assert annotation.image == 'a.png'
