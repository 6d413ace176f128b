"""The names of images in Label Studio's tasks."""

import re

import pytest
from annotations.formats.label_studio.documents import read, rectangle, task

from mmseg_spml.annotations.formats.label_studio.names import name_before_upload
from mmseg_spml.annotations.model import AnnotationError


@pytest.mark.parametrize(
    'source, name',
    [
        ('a.jpg', 'a.jpg'),
        ('x/100%25.jpg', 'x/100%25.jpg'),
        ('/data/upload/3/1a2b3c4d-a%20b.jpg', '1a2b3c4d-a b.jpg'),
        ('/data/upload/a.jpg', 'a.jpg'),
        ('http://localhost:8080/data/upload/3/a.jpg?x=1', 'a.jpg'),
        ('https://host/studio/data/upload/3/a.jpg', 'a.jpg'),
        ('/data/local-files/?d=x/a%20%C3%A4%2B.jpg', 'x/a ä+.jpg'),
        ('/data/local-files/?d=/x/a.jpg&t=1', 'x/a.jpg'),
        ('http://host:80/data/local-files?t=1&d=x%5Ca.jpg', 'x/a.jpg'),
        ('HTTPS://host/x/a%20b.jpg?size=2#top', 'x/a b.jpg'),
        ('s3://bucket/x/a%20#1.jpg', 'x/a%20#1.jpg'),
        ('gs://bucket/a.jpg', 'a.jpg'),
        ('/uploads/a.jpg', 'uploads/a.jpg'),
    ],
)
def test_names_of_images(source, name, tmp_path):
    (annotation,) = read(tmp_path, task(rectangle(0, 0, 1, 1), image=source))
    assert annotation.image == name


@pytest.mark.parametrize(
    'source',
    [
        '', '/', '.', 'x/', '../a.jpg', '/data/local-files/?d=', 'https://host',
        '/data/local-files/?d=..%2Fa.jpg', 'http://host/%2e%2e/a.jpg', 'a\0.jpg',
        '/data/upload/1/../../a.jpg', 'C:\\a.jpg', 's3://bucket/../a.jpg',
        'data:image/png;base64,AAAA', '/tasks/3/resolve/?fileuri=czM6',
        '/data/local-files?&&' * 50_000, None, 3, ['a.jpg'], {'a': 'b'},
    ],
    ids=lambda source: str(source)[:20],
)  # fmt: skip
def test_impossible_names_of_images(source, tmp_path):
    with pytest.raises(AnnotationError, match=r'export\.json, task\[0\] \(id 7\): '):
        read(tmp_path, task(rectangle(0, 0, 1, 1), image=source))


@pytest.mark.parametrize('file', ['photo (1).jpg', 'Ünter wegs+.jpg', 'a b.c.JPG'])
def test_the_name_of_an_uploaded_file(tmp_path, file):
    """Django's ``get_valid_filename``, which Label Studio's uploads go through."""
    (tmp_path / file).touch()
    cleaned = re.sub(r'(?u)[^-\w.]', '', file.strip().replace(' ', '_'))
    assert cleaned != file
    assert name_before_upload(f'0123abcd-{cleaned}', tmp_path) == file
    # Only uploads have lost their names, and two files may have come to one name.
    assert name_before_upload(cleaned, tmp_path) == cleaned
    (tmp_path / f'({file}').touch()
    unknown = f'0123abcd-{cleaned}'
    assert name_before_upload(unknown, tmp_path) == unknown
