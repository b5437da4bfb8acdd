"""The reciprocal square roots that processors estimate, to the last bit.

Each function takes float32 numbers, positive and normal, and returns float32 of the same shape.
"""

import functools
import pathlib

import numpy as np

# VRSQRT14PS is a line in each of 64 intervals: starts in multiples of 2**6, and falls per step.
# Measured on an Intel Xeon with AVX-512, where they are the only integers that give its bits for
# all 2**24 numbers of two octaves. The 32 of [1, 2) come first, then those of [2, 4).
_AVX512_STARTS = np.array(
    """
    1048530 1032514 1017226 1002596 988572 975118 962202 949794 937844 926338 915246 904552
    894212 884212 874558 865206 856142 847366 838846 830576 822554 814758 807184 799814 792638
    785654 778860 772220 765758 759468 753310 747316 741418 730098 719288 708936 699032 689518
    680386 671602 663162 655030 647178 639610 632298 625236 618402 611798 605390 599174 593150
    587314 581638 576124 570760 565552 560484 555546 550734 546044 541482 537018 532672 528428
    """.split(),
    np.int64,
)
_AVX512_FALLS = np.array(
    """
    1001 955 915 877 841 807 775 747 719 693 669 647 625 603 585 567 549 533 517 501 487 473 461
    449 437 425 415 403 393 385 375 367 707 675 647 619 595 571 549 527 509 491 473 457 441 427
    413 401 389 377 365 355 345 335 325 317 309 301 293 285 279 271 265 259
    """.split(),
    np.int64,
)


def _split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Splits x = mantissa * 2**(odd + 2 * half), with a mantissa in [1, 2); all in float64."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    odd = (exponent - 1) % 2
    return mantissa * 2, odd, (exponent - 1 - odd) // 2


def intel(x: np.ndarray) -> np.ndarray:
    """Intel's RSQRTPS: the exact value at the middle of one of 1,024 intervals an octave.

    It is rounded to a multiple of 2**-13 for results in (1/2, 1]. Measured on an Intel Xeon.
    """
    mantissa, odd, half = _split(x)
    middle = (np.floor(mantissa * 1024) + 0.5) / 1024 * 2.0**odd
    return (np.rint(2**13 / np.sqrt(middle)) * 2.0 ** (-13 - half)).astype(np.float32)


@functools.cache
def _amd_table() -> np.ndarray:
    """Returns AMD's estimates [odd, interval] in multiples of 2**-13, read off an EPYC."""
    with np.load(pathlib.Path(__file__).with_name("amd_epyc_rsqrtps.npz")) as stored:
        return stored["table"]


def amd(x: np.ndarray) -> np.ndarray:
    """AMD's RSQRTPS: a table of 4,096 intervals an octave, for which no formula is known."""
    mantissa, odd, half = _split(x)
    interval = np.floor(mantissa * 4096).astype(np.int64) - 4096
    return (_amd_table()[odd, interval] * 2.0 ** (-13 - half)).astype(np.float32)


def arm(x: np.ndarray) -> np.ndarray:
    """Arm's FRSQRTE: 8 bits, as the Arm Architecture Reference Manual defines RecipSqrtEstimate."""
    mantissa, odd, half = _split(x)
    middle = (np.floor(mantissa * 128) + 0.5) / 128 * 2.0**odd
    return (np.floor(2**9 / np.sqrt(middle) + 0.5) * 2.0 ** (-9 - half)).astype(np.float32)


def avx512(x: np.ndarray) -> np.ndarray:
    """VRSQRT14PS of AVX-512: 32 lines an octave, with 16 bits after the leading one."""
    mantissa, odd, half = _split(x)
    step = np.floor(mantissa * 2**15).astype(np.int64) - 2**15
    line, along = odd * 32 + step // 1024, step % 1024
    fixed = (_AVX512_STARTS[line] * 64 - _AVX512_FALLS[line] * along) >> 9
    # Powers of four have an exact root.
    exact = (mantissa == 1) & (odd == 0)
    return (np.where(exact, 2**17, fixed) * 2.0 ** (-17 - half)).astype(np.float32)
