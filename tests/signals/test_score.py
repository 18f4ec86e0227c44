"""The score beside a beam position: from the same walk, computed, persisted and cut along with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lazy4d as l4


def test_score_of_the_centre_of_mass_is_the_sum_that_counted(simple: Any, no_compute: Any) -> None:
    with no_compute:
        position = simple.center_of_mass(half_width=2)
        score = position.score
    assert type(score) is l4.VirtualImage
    assert score.axes_manager.equals(simple.axes_manager.navigation_only())
    middle = simple.as_numpy()[..., 4:9, 3:8].sum((2, 3))
    np.testing.assert_array_equal(score.as_numpy(), middle)


def test_it_is_computed_together_with_the_positions(simple: Any) -> None:
    position = simple.center_of_mass()
    assert str(position.explain()).count("pass") >= 1
    computed = position.compute()
    assert not computed.score.lazy
    assert position.score.lazy
    np.testing.assert_array_equal(computed.score.data, simple.as_numpy().sum((2, 3)))
    kept = position.persist()
    assert len(kept.score.data.dask) <= 2 * position.score.data.npartitions
    assert computed.compute() is computed


def test_one_read_for_both() -> None:
    reads: list[int] = []

    def count(frame: Any) -> Any:
        reads.append(1)
        return frame

    scan = l4.Diffraction2D(np.ones((3, 4, 6, 5), "uint16")).map(count)
    scan.center_of_mass().compute()
    assert len(reads) == 12


def test_inav_cuts_it_along(simple: Any) -> None:
    position = simple.center_of_mass()
    mask = np.arange(20).reshape(4, 5) % 3 == 0
    for part, items in ((position.inav[1:4, ::-1], np.s_[::-1, 1:4]), (position.inav[mask], mask)):
        assert part.score.nav_shape == part.nav_shape
        np.testing.assert_array_equal(part.score.as_numpy(), position.score.as_numpy()[items])
    assert position.compute().inav[2].compute().score.nav_shape == (4,)


def test_a_changed_position_has_no_score(simple: Any) -> None:
    moved = simple.center_of_mass() + 1
    with pytest.raises(ValueError, match="has no score"):
        moved.score  # noqa: B018
