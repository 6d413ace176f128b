"""Tracks of CVAT for video 1.1: the shapes of one object in the frames of a video.

A track has a shape for each frame, of which a person has set those of its key frames,
and CVAT has interpolated the others. Only the former are read, and of these those that
are not ``outside``. The frames are images called ``frame_000012``, as CVAT exports
them; their size is ``original_size`` of the task.
"""

from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element

from mmseg_spml.annotations.formats._image_tags import find_image
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.problems import Problems


def frames_of_tracks(
    root: Element, images: Path | None, problems: Problems
) -> list[Element]:
    """Return the key frames of all tracks as elements ``image`` of images 1.1.

    Args:
        root: The root of the file.
        images: The folder of the images, in which frames are looked up.
        problems: What to do with malformed tracks.

    Raises:
        AnnotationError: A track or the size of the frames is malformed.
    """
    shapes: dict[int, list[Element]] = {}
    malformed = len(problems.found)
    for number, track in enumerate(root):
        if track.tag != 'track':
            continue
        with problems.leaving_out(place=f'track (element {number} of the root)'):
            for shape in _key_shapes(track):
                shapes.setdefault(int(shape.attrib['frame']), []).append(shape)
    if not shapes:
        if root.find('track') is not None and len(problems.found) == malformed:
            raise AnnotationError('has tracks, but no key frame that shows an object')
        return []
    height, width = _original_size(root)
    frames = []
    for number, members in sorted(shapes.items()):
        name = f'frame_{number:06d}'
        with problems.leaving_out(place=name):
            name = f'{name}.PNG' if images is None else find_image(images, name)
            frame = Element('image', name=name, width=width, height=height)
            frame.extend(members)
            frames.append(frame)
    return frames


def _key_shapes(track: Element) -> Iterable[Element]:
    label = track.get('label')
    if label is None:
        raise AnnotationError("lacks the attribute 'label'")
    for shape in track:
        frame = shape.get('frame', '')
        if not frame.isdecimal() or len(frame) > 9:
            raise AnnotationError(
                f'a shape needs the number of its frame, got {frame!r}'
            )
        if shape.get('keyframe') == '1' and shape.get('outside', '0') == '0':
            copy = Element(shape.tag, {**shape.attrib, 'label': label})
            copy.extend(shape)
            yield copy


def _original_size(root: Element) -> tuple[str, str]:
    size = root.find('meta/*/original_size')
    sides = [
        None if size is None else size.findtext(name) for name in ('height', 'width')
    ]
    if None in sides:
        raise AnnotationError(
            'has tracks, but not the size of their frames (meta, original_size): '
            'export the task again as "CVAT for video 1.1"'
        )
    return str(sides[0]), str(sides[1])
