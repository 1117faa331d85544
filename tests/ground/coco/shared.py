"""What the tests of masks and average precision share with C++: the same random numbers, and a digest of texts."""
MASK = (1 << 64) - 1


class Random:
    """xorshift64* (Vigna 2016, arXiv:1402.6246); random.h in this folder gives the same numbers."""

    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 + 1) & MASK

    def below(self, count):
        x = self.state
        x ^= x >> 12
        x = (x ^ (x << 25)) & MASK
        x ^= x >> 27
        self.state = x
        return (((x * 0x2545F4914F6CDD1D) & MASK) >> 33) % count

    def between(self, least, most):
        return least + self.below(most - least + 1)


class Digest:
    """FNV-1a of 64 bits."""

    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, text):
        for byte in text.encode():
            self.value = ((self.value ^ byte) * 0x100000001B3) & MASK

    def hex(self):
        return f"{self.value:016x}"
