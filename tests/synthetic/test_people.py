import numpy as np

from facestudy.synthetic.people import RANGES, TELLING, look_alike, person


def test_features_stay_in_their_ranges() -> None:
    for number in range(50):
        someone = person(np.random.default_rng([1, number]))
        for name, (low, high) in RANGES.items():
            assert low <= getattr(someone, name) <= high, name


def test_people_differ_and_come_back_with_their_seed() -> None:
    people = [person(np.random.default_rng([1, number])) for number in range(50)]
    assert len({(one.hair_style, one.head_width, one.skin_tone) for one in people}) == 50
    assert people[7] == person(np.random.default_rng([1, 7]))
    assert len({one.hair_style for one in people}) >= 6


def test_look_alike_differs_in_some_features_and_shares_the_rest() -> None:
    for number in range(20):
        generator = np.random.default_rng([2, number])
        model = person(generator)
        alike = look_alike(model, generator, changed=7)
        steps = {
            name: abs(getattr(model, name) - getattr(alike, name)) / (high - low)
            for name, (low, high) in RANGES.items()
        }
        changed = {name for name, step in steps.items() if step > 0}
        assert len(changed) == 7
        assert changed <= set(TELLING)
        assert all(0.44 < steps[name] < 0.81 for name in changed)
        assert (alike.hair_style, alike.skin, alike.beard, alike.glasses) == (
            model.hair_style,
            model.skin,
            model.beard,
            model.glasses,
        )
