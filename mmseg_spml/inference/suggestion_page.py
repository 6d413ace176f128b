"""Page of images that are worth labeling, with the places to click on.

Letters: H, W image size.
"""

import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from string import Template

import cv2
import numpy as np

from mmseg_spml.inference.suggestion import Click, Suggestion
from mmseg_spml.visualization.annotations import shrink
from mmseg_spml.visualization.image_grid import data_url
from mmseg_spml.visualization.label_maps import Color

_TEMPLATE = Path(__file__).with_name('suggestion_page.html')
_SIDE = 480
_RADIUS = 9


def suggestion_page(
    suggestions: Iterable[Suggestion],
    read: Callable[[str], np.ndarray],
    classes: Sequence[str],
    palette: Sequence[Color],
) -> str:
    """Make a self-contained HTML page of images with numbered clicks.

    Args:
        suggestions: The images, the most important one first.
        read: A function that reads an image by its name: (H, W, 3) uint8 RGB.
        classes: The class names.
        palette: The RGB colors of the classes.
    """
    cards = [
        _card(rank, one, draw_clicks(read(one.image), one, palette), classes, palette)
        for rank, one in enumerate(suggestions, 1)
    ]
    return Template(_TEMPLATE.read_text(encoding='utf-8')).substitute(
        number=len(cards), cards='\n'.join(cards)
    )


def draw_clicks(
    image: np.ndarray, suggestion: Suggestion, palette: Sequence[Color]
) -> np.ndarray:
    """Draw the clicks of a suggestion on its image, which is shrunk if it is large.

    Args:
        image: (H, W, 3) uint8 RGB.
        suggestion: The places, in pixels of the image.
        palette: The RGB colors of the classes.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    small = np.ascontiguousarray(shrink(image, _SIDE))
    scale = small.shape[1] / suggestion.size[1], small.shape[0] / suggestion.size[0]
    for number, click in enumerate(suggestion.clicks, 1):
        place = round(click.x * scale[0]), round(click.y * scale[1])
        color = tuple(map(int, palette[click.guess]))
        # A dark circle around a light one is seen on any image.
        cv2.circle(small, place, _RADIUS + 2, (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(small, place, _RADIUS + 1, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(small, place, _RADIUS, color, -1, cv2.LINE_AA)
        ink = (0, 0, 0) if sum(color) > 384 else (255, 255, 255)
        _put_number(small, number, place, ink)
    return small


def _put_number(
    image: np.ndarray, number: int, place: tuple[int, int], ink: Color
) -> None:
    font, text = cv2.FONT_HERSHEY_SIMPLEX, str(number)
    (width, height), _ = cv2.getTextSize(text, font, 0.4, 1)
    corner = place[0] - width // 2, place[1] + height // 2
    cv2.putText(image, text, corner, font, 0.4, tuple(ink), 1, cv2.LINE_AA)


def _card(
    rank: int,
    suggestion: Suggestion,
    picture: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Color],
) -> str:
    name = html.escape(suggestion.image)
    items = ''.join(
        f'<li>{_guess(c, classes, palette)}</li>' for c in suggestion.clicks
    )
    return (
        f'<figure><img src="{data_url(picture, ".jpg")}" alt="{name}">'
        f'<figcaption><b>{rank}.</b> {name} <small>score {suggestion.score:.3f}</small>'
        f'<ol>{items}</ol></figcaption></figure>'
    )


def _guess(click: Click, classes: Sequence[str], palette: Sequence[Color]) -> str:
    color = '#{:02x}{:02x}{:02x}'.format(*map(int, palette[click.guess]))
    return (
        f'<span class="chip" style="--color: {color}">'
        f'{html.escape(classes[click.guess])}</span> {100 * click.probability:.0f} %'
    )
