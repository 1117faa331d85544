// One small batch of logits and labels, by which the values of several losses are compared with other packages'.
#pragma once

#include <ATen/ATen.h>

#include <sectile/sample.h>

namespace sectile::test {

// [2, 3, 3, 4], in hundredths.
inline at::Tensor small_batch_logits() {
  return at::tensor({176, 40,  98,   224, 187,  -98,  95,   -15,  -10, 41,   14,   145, 76,   12,  44,  33,   149, -21,
                     31,  -85, -255, 65,  86,   -74,  227,  -145, 5,   -19,  153,  147, 15,   38,  -89, -198, -35, 16,
                     123, 120, -39,  -30, -105, -142, -171, 195,  -51, -44,  -125, 78,  -161, -21, -90, 39,   -51, -118,
                     -3,  43,  7,    30,  -63,  -36,  -67,  -36,  -81, -173, 18,   -40, -163, 46,  -91, 5,    73,  13},
                    at::kDouble)
             .view({2, 3, 3, 4}) /
         100;
}

// [2, 3, 4], of which 6 of 24 are ignored.
inline at::Tensor small_batch_labels() {
  const int x = kIgnore;
  return at::tensor({x, x, x, x, 2, 0, 2, 2, 2, 0, 0, 0, 1, 2, 0, 1, 2, 2, 2, 1, 0, x, x, 0}, at::kLong)
      .view({2, 3, 4});
}

}  // namespace sectile::test
