"""What looking at a scan costs: first pictures, steps, drags, the navigator's pass, previews; and in a real browser.

Each row runs in a process of its own and checks what it measures before it tells a time. "cold" means that the file was
dropped from the page cache just before, by posix_fadvise; for a file larger than memory that holds for all of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graphs import COLUMNS, ROWS, sparse_file
from benchmarks.measure import table
from benchmarks.viewing import in_browser
from benchmarks.viewing.away import away
from benchmarks.viewing.chains import CHAINS
from benchmarks.viewing.dragging import drag, proxy_worst_case
from benchmarks.viewing.first_picture import first_picture, plot_returns
from benchmarks.viewing.navigating import navigate
from benchmarks.viewing.passing import navigator_pass, plain_sum, second_opening
from benchmarks.viewing.previewing import METHODS, preview
from benchmarks.viewing.scan_files import KnownScan, file_larger_than_memory

ANONYMOUS = "<= 300 MB"


def report(folder: Path, rounds: int, *, quick: bool = False, browser: bool = False, big: Path | None = None) -> str:
    """Tables of all of it; print them."""
    return "\n\n".join(tables(folder, rounds, quick=quick, browser=browser, big=big))


def tables(folder: Path, rounds: int, *, quick: bool, browser: bool, big: Path | None) -> Iterator[str]:
    """One table after the other, as they are done."""
    steps = 20 if quick else 200
    small = KnownScan(folder / "viewing-small.mib", 40_000_000)
    scan = small if quick else KnownScan(folder / "viewing.mib", 2_100_000_000)
    large = scan if big is None else KnownScan(big, file_larger_than_memory())
    _warm_up(small)
    yield _first_pictures(folder, scan, small, rounds)
    yield _steps(large, steps, big is not None)
    yield _drags(large, steps, big is not None)
    yield _pass(scan, rounds, folder)
    yield _previews(steps)
    if browser:
        yield _in_browser(folder, large, steps)


def _warm_up(small: KnownScan) -> None:
    """Have every kernel compiled and kept, so that no row waits for the compiler."""
    away(navigator_pass, path=str(small.path), cold=False)
    for chain in CHAINS:
        away(navigate, path=str(small.path), chain=chain, order="jump", steps=4, during_pass=True, cold=False)
        away(drag, path=str(small.path), chain=chain, steps=4, during_pass=False, cold=False)


def _median(found: list[dict[str, Any]], *keys: str) -> float:
    def value(one: Any) -> float:
        for key in keys:
            one = one[key]
        return float(one)

    return float(np.median([value(one) for one in found]))


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _mb(nbytes: float) -> str:
    return f"{nbytes / 1e6:.1f} MB"


def _first_pictures(folder: Path, scan: KnownScan, small: KnownScan, rounds: int) -> str:
    sparse = sparse_file(folder, ROWS, COLUMNS)
    raw = {"scan_shape": (ROWS, COLUMNS), "frame_shape": (256, 256), "dtype": "<f4"}
    size = f"{scan.path.stat().st_size / 1e9:.1f} GB Merlin"
    rows = []
    for label, path, load, cold, warm in (
        (f"{size}, cold file", scan.path, {}, True, True),
        (f"{size}, cold file, new process", scan.path, {}, True, False),
        (f"{size}, warm file", scan.path, {}, False, True),
        ("1.6 TB raw (sparse file)", sparse, raw, False, True),
    ):
        arguments = {"path": str(path), "load": load, "cold": cold, "warm_up": str(small.path) if warm else ""}
        found = [away(first_picture, **arguments) for _ in range(rounds)]
        rows.append(
            [
                label,
                _ms(_median(found, "seconds", "load")),
                _ms(_median(found, "seconds", "frame")),
                _ms(_median(found, "seconds", "navigator")),
                "<= 300 ms",
                _mb(_median(found, "asked", "navigator")) if warm else "",
                _mb(_median(found, "fetched", "navigator")),
                _mb(_median(found, "anonymous")),
            ]
        )
    drawn = [away(plot_returns, path=str(scan.path), load={}) for _ in range(rounds)]
    sparse.unlink()
    first, second = (_ms(_median(drawn, name)) for name in ("first", "second"))
    head = ["load to", "loaded", "frame", "navigator", "target", "read()", "from disk", "anonymous"]
    return f"{table(head, rows)}\ns.plot() has returned after {first} in a new process, the next one after {second}"


def _steps(scan: KnownScan, steps: int, large: bool) -> str:
    rows = []
    for chain in CHAINS:
        for order in ("walk", "jump"):
            for during in (True, False):
                found = away(
                    navigate,
                    path=str(scan.path), chain=chain, order=order, steps=steps, during_pass=during, cold=True,
                )  # fmt: skip
                shares = "–".join(f"{100 * share:.1f}" for share in found["shares"]) + " %" if during else "none"
                rows.append([f"{chain}, {order}", shares, *_latencies(found, 30), *_memory(found)])
    head = [f"{steps} navigation steps, {_size(scan, large)}", "pass", "p50", "p95", "worst", "target p95"]
    return table([*head, "anonymous", "total"], rows)


def _drags(scan: KnownScan, steps: int, large: bool) -> str:
    rows = []
    for chain in CHAINS:
        for during in (True, False):
            if not during and large and chain != "raw":
                continue  # the pass over a file larger than memory is waited for once
            found = away(drag, path=str(scan.path), chain=chain, steps=steps, during_pass=during, cold=True)
            shares = "–".join(f"{100 * share:.1f}" for share in found["shares"]) + " %"
            error = "" if np.isnan(found["error"]) else f"{100 * found['error']:.1f} %"
            rest = f"{found['rest']:.2f} s"
            rows.append([chain, shares, *_latencies(found, 50), error, rest, *_memory(found)])
    worst = away(proxy_worst_case, path=str(scan.path), steps=min(steps, 100))
    head = [f"{steps} drags of a detector, {_size(scan, large)}", "pass", "p50", "p95", "worst", "target p95"]
    head += ["off by", "exact after", "anonymous", "total"]
    single = ", ".join(f"{name} {_ms(worst[name])}" for name in ("p50", "p95", "worst"))
    shape = " x ".join(map(str, worst["scan"]))
    return f"{table(head, rows)}\nany disk on the small copy ({_mb(worst['proxy'])}, scan {shape}): {single}"


def _latencies(found: dict[str, Any], target: int) -> list[str]:
    return [*(_ms(found[name]) for name in ("p50", "p95", "worst")), f"<= {target} ms"]


def _memory(found: dict[str, Any]) -> list[str]:
    return [f"{_mb(found['anonymous'])} ({ANONYMOUS})", _mb(found["total"])]


def _size(scan: KnownScan, large: bool) -> str:
    size = scan.path.stat().st_size / 1e9
    return f"{size:.1f} GB {'larger than memory' if large else 'cold'}"


def _pass(scan: KnownScan, rounds: int, folder: Path) -> str:
    rows = []
    path = str(scan.path)
    for cold in (True, False):
        passes = [away(navigator_pass, path=path, cold=cold) for _ in range(rounds)]
        sums = {k: [away(plain_sum, path=path, cold=cold, threads=k) for _ in range(rounds)] for k in (1, None)}
        speed = _median(passes, "nbytes") / _median(passes, "seconds") / 1e9
        plain = {k: _median(one, "nbytes") / _median(one, "seconds") / 1e9 for k, one in sums.items()}
        rows.append(
            [
                "cold file" if cold else "warm file",
                f"{speed:.2f} GB/s",
                f"{plain[1]:.2f} GB/s",
                f"{plain[None]:.2f} GB/s",
                _ms(_median(passes, "first")),
                *(_ms(float(np.median([one["step"][k] for one in passes]))) for k in (0, 1, 2)),
                f"{_mb(_median(passes, 'anonymous'))} ({ANONYMOUS})",
            ]
        )
    kept = folder / "overviews"
    kept.mkdir(exist_ok=True)
    away(navigator_pass, cache=kept, path=path, cold=False)
    again = [away(second_opening, cache=kept, path=path) for _ in range(rounds)]
    head = ["navigator's pass", "pass", "plain sum, 1 thread", "all threads", "first image"]
    head += ["step p50", "p95", "worst", "anonymous"]
    return f"{table(head, rows)}\nopened again: load and complete navigator in {_ms(_median(again, 'seconds'))}"


def _previews(steps: int) -> str:
    rows = []
    for method in METHODS:
        found = away(preview, method=method, steps=min(steps, 60))
        rows.append([method, *_latencies(found, 100)])
    return table(["one change of a slider", "p50", "p95", "worst", "target p95"], rows)


def _in_browser(folder: Path, scan: KnownScan, steps: int) -> str:
    found = in_browser.measure(folder, scan.path, steps)
    rows = []
    for label, name in (
        ("navigation step", "navigate"),
        ("drag of a detector", "drag"),
        ("key on a slider of the preview", "slide"),
    ):
        one = found[name]
        p50, p95, worst = in_browser.percentiles(one["seconds"])
        rows.append([label, _ms(p50), _ms(p95), _ms(worst), f"{one['bytes'] / 1e3:.0f} kB", str(one["unanswered"])])
    total, anonymous = found["memory"] or (0, 0)
    head = ["mouse event to changed pixels, JupyterLab", "p50", "p95", "worst", "received", "unanswered"]
    cells = ", ".join(f"{seconds:.2f} s" for seconds in found["cells"])
    return (
        f"{table(head, rows)}\ncells (imports; load and plot): {cells}; largest message {found['first kB']:.0f} kB; "
        f"kernel after {steps} steps: {_mb(anonymous)} anonymous, {_mb(total)} in all"
    )
