"""The work of a batch job: what is saved already is not computed again."""

import sys

from dask.distributed import Client

import lazy4d as l4


def main(path: str, scheduler_file: str, workers: int) -> None:
    """Centre the patterns of a scan, save them, and save two images of them."""
    with Client(scheduler_file=scheduler_file) as client:
        client.wait_for_workers(workers, timeout=300)
        s = l4.load(path)
        position = s.get_direct_beam_position("cross_correlate", radius=4, half_width=20)
        centred = s.center_direct_beam(position=position.get_linear_plane())
        centred.save("centred.zarr", resume=True)
        centred = l4.load("centred.zarr")
        middle = centred.axes_manager.frame_shape[0] // 2
        disk, ring = l4.CircleROI(middle, middle, 6), l4.CircleROI(middle, middle, middle, r_inner=10)
        images = l4.compute(centred.get_virtual_image({"bf": disk, "adf": ring}))[0]
        for name, image in images.items():
            image.save(f"{name}.zarr", overwrite=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
