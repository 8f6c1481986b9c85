import torch
from sklearn.datasets import load_digits

from ae_lightning.data.digits import read_digits


def test_digits_fill_the_range_of_a_byte():
    digits = read_digits(split_seed=0)
    assert len(digits.train) + len(digits.test) == 1797
    assert len(digits.test) == 359
    assert digits.train.x.shape[1:] == (1, 8, 8)
    assert (int(digits.train.x.min()), int(digits.train.x.max())) == (0, 255)
    assert set(digits.train.x.unique().tolist()) == {round(value * 255 / 16) for value in range(17)}
    assert digits.class_names == tuple("0123456789")


def test_they_are_scikit_learns_own():
    digits, stored = read_digits(split_seed=0), load_digits()
    both = torch.cat([digits.train.x, digits.test.x]).flatten(1).double()
    expected = torch.from_numpy(stored.data).mul(255 / 16).round()
    assert torch.equal(both.sum(dim=1).sort().values, expected.sum(dim=1).sort().values)
    labels = torch.cat([digits.train.labels, digits.test.labels])
    for label in range(10):
        own = expected[torch.from_numpy(stored.target) == label]
        assert torch.equal(both[labels == label].sum(dim=0), own.sum(dim=0))


def test_the_test_split_is_fixed_by_its_seed():
    assert torch.equal(read_digits(1).test.x, read_digits(1).test.x)
    assert not torch.equal(read_digits(1).test.x, read_digits(2).test.x)
