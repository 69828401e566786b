"""Branch-free exponential, logarithm, sine and cosine, which work on a vector of numbers as on one.

The C library's versions do not. Exponential and logarithm are within two units in the last place of the true value over
the range used by the kernel, sine and cosine within 2e-16 of it (tested against mpmath).
"""

from typing import Any

import llvmlite.binding as llvm
import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from simulator.kernel.machine import WIDTH

#: Without "reassoc", which would undo the rounding tricks below, and "nnan" and "ninf", which would break NaN checks.
FASTMATH = {"nsz", "arcp", "contract", "afn"}

#: Options of all compiled code: no Python exceptions; no reference counting, because nothing allocates.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": FASTMATH, "_nrt": False}

#: Options for functions called only from compiled code: no Python or C wrappers, whose compilation dominates.
INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

CONFIG: Any = nb.config
if CONFIG.CPU_FEATURES is None and WIDTH == 8:
    # LLVM avoids full-width vectors because they slow down scalar code around them; here there is little of it.
    CONFIG.CPU_FEATURES = llvm.get_host_cpu_features().flatten() + ",-prefer-256-bit"

#: 1.5 * 2^52: adding it rounds a double to an integer kept in its low bits.
ROUND = 6755399441055744.0
ROUND_BITS = 0x4338000000000000

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471804855391
LN2_LOW = 7.440617110012397e-11
EXPONENT_BIAS = 1023
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD

#: Pi in three parts, the first two so short that their products with whole numbers up to 2^28 are exact.
PI_HIGH, PI_MIDDLE, PI_LOW = 3.1415926218032837, 3.1786509424591713e-08, 1.2246467991473532e-16
ONE_OVER_PI = 0.3183098861837907
ONE_BITS = 0x3FF0000000000000


def _exp(x):
    """``e^x``: ``2^k e^r`` with ``|r| <= ln(2)/2`` and a polynomial for ``e^r``.

    Saturates beyond [-708, 709] instead of under- or overflowing; NaN stays NaN.
    """
    x = 709.0 if x > 709.0 else x
    x = -708.0 if x < -708.0 else x
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # Near-minimax fit of (e^r - 1 - r)/r^2 at Chebyshev nodes, error 2e-17.
    q = 2.5100472505694996e-08
    q = q * r + 2.7620201591031547e-07
    q = q * r + 2.7557268276905696e-06
    q = q * r + 2.4801521057868204e-05
    q = q * r + 1.9841269863171557e-04
    q = q * r + 1.3888888917367081e-03
    q = q * r + 8.333333333330039e-03
    q = q * r + 4.1666666666623824e-02
    q = q * r + 1.6666666666666669e-01
    q = q * r + 5.0000000000000011e-01
    power = (np.float64(shifted).view(np.int64) + EXPONENT_BIAS) << 52
    return (1.0 + (r + r * r * q)) * np.int64(power).view(np.float64)


def _log(x):
    """Natural logarithm: exponent split off, then ``2 atanh((m - 1)/(m + 1))`` for ``m`` near 1.

    ``log(0)`` is -inf, a negative or infinite argument gives NaN; subnormal numbers are not handled.
    """
    bits = np.float64(x).view(np.int64)
    exponent = (bits - SQRT_HALF_BITS) >> 52
    m = np.int64(bits - (exponent << 52)).view(np.float64)
    k = np.int64(exponent + ROUND_BITS).view(np.float64) - ROUND
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    # Near-minimax fit of (2 atanh(s)/s - 2)/s^2 at Chebyshev nodes, error 3e-20.
    q = 1.3088034850927555e-01
    q = q * z + 1.3268638369266825e-01
    q = q * z + 1.5386244737621665e-01
    q = q * z + 1.8181795547521137e-01
    q = q * z + 2.2222222392581045e-01
    q = q * z + 2.8571428570799784e-01
    q = q * z + 4.0000000000000885e-01
    q = q * z + 6.6666666666666660e-01
    finite = k * LN2_HIGH + (2.0 * s + (s * z * q + k * LN2_LOW)) + (x - x)
    value = -np.inf if x == 0.0 else finite
    return np.nan if x < 0.0 else value


def _choose(d, above, below):
    """`above` where d > 0, else `below`."""
    return above if d > 0.0 else below


def _larger(x, y):
    """The larger of two numbers; `x` if one of them is NaN."""
    return y if y > x else x


def _smaller(x, y):
    """The smaller of two numbers; `x` if one of them is NaN."""
    return y if y < x else x


@intrinsic
def fma(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """``x y + z``, as one instruction where the machine has it.

    The compiler would fuse the operations itself, but half as many operations compile much faster.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        double = ir.DoubleType()
        kind = ir.FunctionType(double, [double] * 3)
        function = builder.module.declare_intrinsic("llvm.fmuladd", [double], kind)
        return builder.call(function, arguments, fastmath=tuple(FASTMATH))

    return nb.float64(nb.float64, nb.float64, nb.float64), generate


#: Decorator that compiles a small function to be inlined into its callers.
inlined = nb.njit(**OPTIONS, **INNER, forceinline=True)


@inlined
def _turned_sine(x, turn):
    """``sin(x + turn pi)``: ``(-1)^k sin(r)`` with ``r = x - (k - turn) pi`` between -pi/2 and pi/2.

    Accurate up to about 10^8; NaN and infinities give NaN. Twice `turn` is whole.
    """
    shifted = (x * ONE_OVER_PI + turn) + ROUND
    half_turns = (shifted - ROUND) - turn
    r = ((x - half_turns * PI_HIGH) - half_turns * PI_MIDDLE) - half_turns * PI_LOW
    z = r * r
    # Near-minimax fit of (sin(r) - r)/r^3 at Chebyshev nodes, error 1e-18.
    q = 2.731428986122616e-15
    q = q * z + -7.643969031052769e-13
    q = q * z + 1.6058977272815506e-10
    q = q * z + -2.5052107616384595e-08
    q = q * z + 2.755731921915843e-06
    q = q * z + -1.9841269841254955e-04
    q = q * z + 8.333333333333316e-03
    q = q * z + -1.6666666666666666e-01
    # The last bit of k, moved to the place of the sign, turns a one into the sign of the result.
    sign = np.int64((np.float64(shifted).view(np.int64) << 63) + ONE_BITS).view(np.float64)
    return sign * (r + r * z * q)


def _sin(x):
    """Sine, within 2e-16 up to about 10^8."""
    return _turned_sine(x, 0.0)


def _cos(x):
    """Cosine, within 2e-16 up to about 10^8."""
    return _turned_sine(x, 0.5)


exp = inlined(_exp)
log = inlined(_log)
sin = inlined(_sin)
cos = inlined(_cos)
choose = inlined(_choose)
larger = inlined(_larger)
smaller = inlined(_smaller)
