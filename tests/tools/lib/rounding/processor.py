"""The processor at hand: its maker, and its estimates of reciprocal square roots."""

import ctypes
import mmap
import pathlib
import platform

import numpy as np

# Machine code of f(float* from, float* to, long vectors): for each vector of 4, load, estimate,
# store. Between them stands the instruction.
_LOAD = bytes.fromhex("0f1007")
_STORE = bytes.fromhex("0f1106 4883c710 4883c610 48ffca")
RSQRTPS = bytes.fromhex("0f52c0")
VRSQRT14PS = bytes.fromhex("62f27d084ec0")

# Models whose estimates are known, by a word of their names.
_MAKERS = {"Intel": "intel", "EPYC": "amd"}


def _field(name: str) -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def maker() -> str | None:
    """Returns "intel" or "amd"; None for a processor of which nothing is known."""
    if platform.machine() != "x86_64":
        return None
    model = _field("model name")
    return next((maker for word, maker in _MAKERS.items() if word in model), None)


def has(flag: str) -> bool:
    """Returns whether /proc/cpuinfo lists a feature, such as "avx512vl"."""
    return flag in _field("flags").split()


def estimate(instruction: bytes, x: np.ndarray) -> np.ndarray:
    """Returns what an instruction gives.

    Args:
      instruction: `RSQRTPS` or `VRSQRT14PS`.
      x: float32 [a multiple of 4].
    """
    body = _LOAD + instruction + _STORE
    code = body + bytes([0x75, 256 - len(body) - 2, 0xC3])
    with mmap.mmap(-1, len(code), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as memory:
        memory.write(code)
        start = ctypes.c_char.from_buffer(memory)
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long)(
            ctypes.addressof(start)
        )
        result = np.empty_like(x)
        function(x.ctypes.data, result.ctypes.data, len(x) // 4)
        del start
    return result
