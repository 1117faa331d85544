"""The numbers of sectile::Random, so that inputs need not be stored."""
import numpy as np

_STEP = 0x9E3779B97F4A7C15
_ALL = (1 << 64) - 1


def _mix(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(key, count):
    """The first `count` numbers in [0, 1) of sectile::Random(key)."""
    with np.errstate(over="ignore"):
        state = np.uint64(0)
        for part in key:
            state = _mix(np.uint64((int(state) + part + _STEP) & _ALL))
        counter = np.arange(1, count + 1, dtype=np.uint64)
        bits = _mix(state + counter * np.uint64(_STEP))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
