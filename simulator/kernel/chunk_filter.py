"""HDF5's filters for a chunk, applied outside HDF5 because the library would block all other threads.

The bytes of the numbers are grouped by significance (shuffle), and a checksum is appended (Fletcher 1982, IEEE
Trans Commun 30:247, doi:10.1109/TCOM.1982.1095369, in the 32-bit form of the HDF5 library). HDF5 verifies the
checksum and undoes the shuffle when it reads the chunk.
"""

import numba as nb
import numpy as np

from simulator.kernel.vectormath import INNER, OPTIONS

#: Words per block, so few that their weighted sum fits in 32 bits.
BLOCK = 256


@nb.njit(**OPTIONS, **INNER)
def filtered(numbers, out):
    """Shuffle the bytes of a chunk and append their checksum.

    Parameters
    ----------
    numbers : uint64 array, shape (n,)
        The chunk's numbers as bits.
    out : uint8 array, shape (8 n + 4,)
        Receives the filtered chunk.
    """
    n = numbers.shape[0]
    for place in range(8):
        shift = np.uint64(8 * place)
        for i in range(n):
            out[place * n + i] = np.uint8(numbers[i] >> shift)
    # Fletcher's second sum adds up the running first sum. Computed blockwise as a weighted sum, it vectorises.
    # HDF5 sums big-endian words; swapping the bytes is a factor 256 modulo 2^16 - 1, applied at the end.
    words = out[: 8 * n].view(np.uint16)
    first, second = np.uint64(0), np.uint64(0)
    for start in range(0, 4 * n, BLOCK):
        block = words[start : start + BLOCK]
        size = np.uint32(block.shape[0])
        plain, weighted = np.uint32(0), np.uint32(0)
        for i in range(block.shape[0]):
            word = np.uint32(block[i])
            plain = np.uint32(plain + word)
            weighted = np.uint32(weighted + word * np.uint32(size - np.uint32(i)))
        second = _folded(second + np.uint64(size) * first + np.uint64(weighted))
        first = _folded(first + np.uint64(plain))
    first, second = _folded(np.uint64(256) * first), _folded(np.uint64(256) * second)
    checksum = (second << np.uint64(16)) | first
    for i in range(4):
        out[8 * n + i] = np.uint8(checksum >> np.uint64(8 * i))


@nb.njit(**OPTIONS, **INNER)
def _folded(total):
    """Reduce a sum modulo 2^16 - 1; only 0 gives 0, other multiples give 2^16 - 1."""
    while total > np.uint64(0xFFFF):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return total
