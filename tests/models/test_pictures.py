import numpy as np
import pandas as pd
import pytest
import torch

from facestudy.models.augmentation import augment, sampling_grid
from facestudy.models.order import order
from facestudy.models.packed import class_order
from facestudy.models.pictures import Pictures, normalise, resident
from facestudy.project.sections import Augmentation

STRONG = Augmentation(flip=True, rotation=20, scale=0.2, shift=0.1, light=0.3)
NONE = Augmentation(flip=False, rotation=0, scale=0, shift=0, light=0)


def noise(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def faces(count: int = 8, augmentation: Augmentation | None = STRONG, seed: int = 3) -> Pictures:
    return Pictures(noise(count), torch.zeros(count, dtype=torch.int64), augmentation=augmentation, seed=seed)


def test_plain_batch_is_the_packed_pixels_normalised() -> None:
    expected = normalise(torch.from_numpy(noise()).permute(0, 3, 1, 2).float() / 255)
    assert torch.equal(faces().batch(torch.arange(8), None), expected)


def test_a_picture_is_augmented_alike_whatever_batch_it_is_in() -> None:
    whole = faces().batch(torch.arange(8), 2)
    single = faces().batch(torch.tensor([5]), 2)
    torch.testing.assert_close(whole[5:6], single)


def test_epochs_seeds_and_pictures_draw_differently() -> None:
    same = Pictures(np.tile(noise(1), (4, 1, 1, 1)), torch.zeros(4, dtype=torch.int64), augmentation=STRONG, seed=3)
    first, second = same.batch(torch.arange(4), 1), same.batch(torch.arange(4), 2)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)
    assert not torch.equal(faces(seed=3).batch(torch.arange(8), 1), faces(seed=4).batch(torch.arange(8), 1))


def test_a_split_reads_its_rows_of_the_whole_array() -> None:
    rows = np.array([6, 1, 3])
    split = Pictures(noise(), torch.zeros(3, dtype=torch.int64), rows=rows)
    assert torch.equal(split.batch(torch.tensor([2, 0]), None), faces().batch(torch.tensor([3, 6]), None))
    whole = resident(noise(), rows, torch.device("cpu"), chunk=2)
    assert np.array_equal(whole.numpy(), noise()[rows])


def test_pictures_that_lie_on_the_device_are_those_that_are_read() -> None:
    rows, labels = np.array([6, 1, 3]), torch.zeros(3, dtype=torch.int64)
    on_device, read = (Pictures(noise(), labels, rows=rows, augmentation=STRONG, memory=free) for free in (10**9, 0))
    groups = torch.split(torch.tensor([2, 0, 1]), 2)
    for epoch in (None, 1):
        pairs = zip(on_device.batches(groups, epoch), read.batches(groups, epoch), strict=True)
        assert [len(one) for one, two in pairs if torch.equal(one, two)] == [2, 1]


def test_no_augmentation_changes_nothing() -> None:
    assert torch.equal(faces(augmentation=NONE).batch(torch.arange(8), 1), faces().batch(torch.arange(8), None))


def test_flip_mirrors_left_and_right() -> None:
    picture = torch.rand(2, 3, 8, 8)
    flipped = augment(picture, torch.tensor([True, False]), torch.zeros(2, 6), NONE.model_copy(update={"flip": True}))
    assert torch.equal(flipped[0], picture[0].flip(2))
    assert torch.equal(flipped[1], picture[1])


def test_pixels_are_sampled_where_torch_puts_them() -> None:
    matrix = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.affine_grid(matrix, [5, 3, 48, 48], align_corners=False)
    torch.testing.assert_close(sampling_grid(matrix, 48), expected)


def test_shift_moves_by_its_share_of_the_side() -> None:
    picture = torch.zeros(1, 3, 10, 10)
    picture[0, :, 5, 5] = 1
    uniform = torch.tensor([[0, 0, 1.0, 0, 0, 0]])
    moved = augment(picture, torch.tensor([False]), uniform, NONE.model_copy(update={"shift": 0.2}))
    assert moved[0, 0].argmax() == 5 * 10 + 3


def test_rotation_keeps_the_middle_and_light_stays_in_range() -> None:
    picture = torch.zeros(1, 3, 9, 9)
    picture[0, :, 4, 4] = 1
    turned = augment(picture, torch.tensor([False]), torch.ones(1, 6), NONE.model_copy(update={"rotation": 90}))
    assert turned[0, 0, 4, 4] == pytest.approx(1, abs=1e-5)
    lit = augment(torch.rand(4, 3, 9, 9), torch.zeros(4).bool(), torch.ones(4, 6), STRONG)
    assert lit.min() >= 0 and lit.max() <= 1


def test_order_is_a_permutation_drawn_from_seed_and_epoch() -> None:
    assert sorted(order(0, 1, 50).tolist()) == list(range(50))
    assert torch.equal(order(0, 1, 50), order(0, 1, 50))
    assert not torch.equal(order(0, 1, 50), order(0, 2, 50))
    assert not torch.equal(order(0, 1, 50), order(1, 1, 50))


def test_classes_are_sorted_and_the_positive_one_comes_last() -> None:
    assert class_order(pd.Series(["sad", "happy", "sad"]), None) == ["happy", "sad"]
    assert class_order(pd.Series(["anna", "other"]), "anna") == ["other", "anna"]
