"""Images beside a scan come back as signals, small ones from the metadata, large ones from their files."""

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data.mrc import write_mrc


def scan(**general):
    s = l4.Diffraction2D(np.ones((4, 6, 8, 10), "u2"), title="scan")
    s.set_calibration(scan_scale=0.5, scan_units="nm", scale=0.02, units="1/Å")
    for key, value in general.items():
        s.metadata.set_item(f"General.{key}", value)
    return s


def test_an_image_of_the_scan_takes_its_calibration():
    image = np.arange(24.0).reshape(4, 6)
    found = scan(virtual_images={"virtual_0": {"name": "BF", "data": image}}).get_linked_images()
    assert list(found) == ["BF"]
    assert isinstance(found["BF"], l4.VirtualImage)
    np.testing.assert_array_equal(found["BF"].data, image)
    assert found["BF"].axes_manager["x"].scale == 0.5
    assert found["BF"].axes_manager["x"].units == "nm"


def test_names_that_meet_are_told_apart():
    entry = {"name": "A", "data": np.zeros((4, 6))}
    found = scan(virtual_images={"virtual_0": entry}, external_images={"external_1": entry}).get_linked_images()
    assert list(found) == ["A", "A (external_1)"]


def test_the_summed_pattern_is_an_image_of_the_detector():
    found = scan(final_image={"name": "final", "data": np.ones((8, 10), "f4")}).get_linked_images()
    assert type(found["final"]) is l4.Signal2D
    assert found["final"].axes_manager["kx"].scale == 0.02


def test_an_image_of_another_shape_is_in_pixels():
    s = scan(external_images={"external_1": {"data": np.zeros((3, 5))}})
    found = s.get_linked_images()["external_1"]
    assert found.data.shape == (3, 5)
    assert found.axes_manager["x"].units == "px"


def test_a_large_image_is_loaded_when_asked_for(tmp_path):
    image = np.arange(24, dtype="f4").reshape(1, 4, 6)
    path = write_mrc(tmp_path / "ext.mrc", image)
    found = scan(external_images={"external_1": {"name": "ADF", "path": str(path)}}).get_linked_images()
    assert found["ADF"].lazy
    np.testing.assert_array_equal(found["ADF"].compute().data, image[0])
    path.unlink()
    with pytest.raises(FileNotFoundError, match="ext"):
        scan(external_images={"external_1": {"path": str(path)}}).get_linked_images()


def test_a_signal_without_companions_has_none():
    assert scan().get_linked_images() == {}


def test_images_beside_a_real_movie(vendor_data):
    s = l4.load(vendor_data("mrc/20241021_00405_movie.mrc"))
    found = s.get_linked_images()
    assert list(found) == ["Virt #0", "Virt #1", "Ext #1", "final"]
    assert found["Virt #0"].axes_manager["x"].scale == pytest.approx(0.1)
    assert found["Virt #0"].data.shape == (4, 8)
    np.testing.assert_array_equal(found["final"].data, s.sum().compute().data)
