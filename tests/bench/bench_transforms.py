"""How fast the transforms are: ratios against pysiaf in the same run.

Usage: ``python tests/bench/bench_transforms.py [--points 1000000] [--rounds 15]``, with pysiaf
installed. pysiaf's import asks the network for its newest version and goes on without an answer.

Each figure is the best of all rounds, and the rounds of the rivals alternate, so that what else
the machine does disturbs both alike.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from aptdither.optics.aperture import get_aperture

#: The same on both sides.
APERTURE, SIAF_NAME, BORDER_PIX = "IR-FIX", "IIRFIX", 5


def load_pysiaf_aperture() -> Any:
    """Import pysiaf quietly; only this bench and a test do."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(io.StringIO()):
            import pysiaf

            return pysiaf.Siaf("HST")[SIAF_NAME]


def best_of(rounds: int, *rivals: Callable[[], object]) -> list[float]:
    """Time each rival, in turn, and give the best of each in seconds."""
    best = [float("inf")] * len(rivals)
    for _ in range(rounds):
        for k, rival in enumerate(rivals):
            start = time.perf_counter()
            rival()
            best[k] = min(best[k], time.perf_counter() - start)
    return best


def iterated_inverse(peer: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Invert pysiaf's forward polynomial to 1e-9 px with pysiaf's own functions."""
    x_sci, y_sci = peer.idl_to_sci(x, y)
    for _ in range(10):
        x_got, y_got = peer.sci_to_idl(x_sci, y_sci)
        x_step, y_step = (
            np.subtract(new, old)
            for new, old in zip(peer.idl_to_sci(x, y), peer.idl_to_sci(x_got, y_got), strict=True)
        )
        x_sci, y_sci = x_sci + x_step, y_sci + y_step
        if max(np.abs(x_step).max(), np.abs(y_step).max()) < 1e-9:
            break
    return x_sci, y_sci


def main() -> None:
    """Run the bench and print ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    peer, ours = load_pysiaf_aperture(), get_aperture(APERTURE)
    rng = np.random.default_rng(0)
    x_pix, y_pix = rng.uniform(1.0, 1014.0, (2, arguments.points))
    x_sci, y_sci = x_pix + BORDER_PIX, y_pix + BORDER_PIX
    x_arcsec, y_arcsec = ours.ideal_from_pixel(x_pix, y_pix)

    peer_ideal = peer.sci_to_idl(x_sci, y_sci)
    print(f"{arguments.points} points, aperture {APERTURE}, best of {arguments.rounds}")
    difference = max(np.abs(x_arcsec - peer_ideal[0]).max(), np.abs(y_arcsec - peer_ideal[1]).max())
    print(f"forward: largest difference to pysiaf {difference:.1e} arcsec")
    for name, (x_got, y_got), border in (
        ("ours", ours.pixel_from_ideal(x_arcsec, y_arcsec), 0),
        ("pysiaf idl_to_sci", peer.idl_to_sci(x_arcsec, y_arcsec), BORDER_PIX),
        ("pysiaf iterated", iterated_inverse(peer, x_arcsec, y_arcsec), BORDER_PIX),
    ):
        worst = np.hypot(x_got - border - x_pix, y_got - border - y_pix).max()
        print(f"round trip, {name}: worst {worst:.1e} px")

    forward = best_of(
        arguments.rounds,
        lambda: ours.ideal_from_pixel(x_pix, y_pix),
        lambda: peer.sci_to_idl(x_sci, y_sci),
    )
    inverse = best_of(
        arguments.rounds,
        lambda: ours.pixel_from_ideal(x_arcsec, y_arcsec),
        lambda: peer.idl_to_sci(x_arcsec, y_arcsec),
    )
    (iterated,) = best_of(3, lambda: iterated_inverse(peer, x_arcsec, y_arcsec))
    report("forward, against sci_to_idl", forward[0], forward[1])
    report("inverse, against idl_to_sci", inverse[0], inverse[1])
    report("inverse, against pysiaf iterated to 1e-9 px", inverse[0], iterated)
    report("both", forward[0] + inverse[0], forward[1] + inverse[1])

    few = [np.ascontiguousarray(axis[:729].reshape(9, 81)) for axis in (x_pix, y_pix)]
    postargs = rng.uniform(-1.0, 1.0, (2, 9, 1))
    small = best_of(
        200,
        lambda: ours.offset_from_postarg(*postargs, at=(few[0], few[1])),
    )
    print(f"offset_from_postarg, 9 x 81 points: {small[0] * 1e6:.0f} us")


def report(name: str, ours: float, theirs: float) -> None:
    """Print one ratio."""
    print(
        f"{name}: {theirs / ours:.1f} times faster ({ours * 1e3:.1f} ms to {theirs * 1e3:.1f} ms)"
    )


if __name__ == "__main__":
    main()
