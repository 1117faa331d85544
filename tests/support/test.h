// doctest, after LibTorch's headers where they are used: c10's logging macro CHECK aborts, and would win otherwise.
#pragma once

#undef CHECK
#include <doctest/doctest.h>
