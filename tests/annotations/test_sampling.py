import pytest

from mmseg_spml.annotations.sampling import evenly_spread


@pytest.mark.parametrize('length', range(8))
@pytest.mark.parametrize('most', range(1, 9))
def test_evenly_spread(length, most):
    places = evenly_spread(range(length), most)
    assert len(places) == min(length, most)
    steps = {after - before for before, after in zip(places, places[1:], strict=False)}
    assert not steps or (min(steps) >= 1 and max(steps) - min(steps) <= 1)
    if length and most > 1:
        assert (places[0], places[-1]) == (0, length - 1)
