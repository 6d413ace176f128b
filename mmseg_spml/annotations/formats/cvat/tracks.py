"""Tracks of CVAT for video 1.1: the shapes of one object in the frames of a video.

A track has a shape for each frame, of which a person has set those of its key frames,
and CVAT has interpolated the others. Only the former are read, and of these those that
are not ``outside``. The frames are images called ``frame_000012``, as CVAT exports
them; their size is ``original_size`` of the task.
"""

from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element

from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.problems import Problems

_SIDES = ('height', 'width')


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
    stated = _original_size(root, images)
    frames = []
    for number, members in sorted(shapes.items()):
        name = f'frame_{number:06d}'
        with problems.leaving_out(place=name):
            name = f'{name}.PNG' if images is None else find_image(images, name)
            height, width = stated or image_size(images, name)
            frame = Element('image', name=name, width=str(width), height=str(height))
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


def _original_size(root: Element, images: Path | None) -> tuple[str, str] | None:
    """Return the stated height and width of the frames; None if images tell them."""
    if root.find('meta/project') is not None:
        raise AnnotationError(
            'has tracks of a whole project, whose tasks count their frames alike: '
            'export each task or job as "CVAT for video 1.1"'
        )
    # Exports of tasks have a level more than those of jobs.
    for place in ('meta/*/original_size', 'meta/original_size'):
        height, width = (root.findtext(f'{place}/{side}') for side in _SIDES)
        if height is not None and width is not None:
            return height, width
    if images is None:
        raise AnnotationError(
            'has tracks, but not the size of their frames (meta, original_size): give '
            'the folder of the frames by --images'
        )
    return None
