"""What HDF5 does to a chunk on its way to the disk, done here: it would keep all other threads waiting meanwhile.

The bytes of all numbers are sorted by their place (shuffle), and a checksum is put behind them (Fletcher 1982, IEEE
Trans Commun 30:247, doi:10.1109/TCOM.1982.1095369, in the 32-bit form of the HDF5 library). HDF5 undoes both, and so
verifies them, when the chunk is read.
"""

import numba as nb
import numpy as np

from simulator.kernel.vectormath import OPTIONS

#: Words whose sum of sums stays within 32 bits.
BLOCK = 256


@nb.njit(**OPTIONS, nogil=True, cache=True)
def filtered(numbers, out):
    """Sort the bytes of a chunk and put their checksum behind them.

    Parameters
    ----------
    numbers : uint64 array, shape (n,)
        The bits of the chunk's numbers.
    out : uint8 array, shape (8 n + 4,)
        Takes the filtered chunk.
    """
    n = numbers.shape[0]
    for place in range(8):
        shift = np.uint64(8 * place)
        for i in range(n):
            out[place * n + i] = np.uint8(numbers[i] >> shift)
    # Words of two bytes are summed up, and so are these sums: block by block with weights, which vectorises. The words
    # count with their bytes exchanged, which is 256 times them modulo 2^16 - 1 and can wait until the end.
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


@nb.njit(**OPTIONS)
def _folded(total):
    """A sum modulo 2^16 - 1, where only an empty one gives 0."""
    while total > np.uint64(0xFFFF):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return total
