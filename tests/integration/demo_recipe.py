"""The recipe of the demo on fewer scenes."""

from integration import tiny


def demo_recipe(train: int, val: int) -> str:
    """Text of experiments/configs/recipes/demo.py that generates so many scenes."""
    text = (tiny.ROOT / 'experiments/configs/recipes/demo.py').read_text()
    whole = "args=['{out}']"
    assert text.count(whole) == 1
    return text.replace(
        whole, f"args=['{{out}}', '--train', '{train}', '--val', '{val}']"
    )
