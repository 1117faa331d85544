// What datasets need not say themselves.
#include <sectile/dataset.h>

#include "support/test.h"

TEST_CASE("the number of an image is what its name ends with") {
  using sectile::number_in_name;
  CHECK(number_in_name("000000000139.jpg") == 139);
  CHECK(number_in_name("val2014/COCO_val2014_000000000042.jpg") == 42);
  CHECK(number_in_name("ADE_val_00000007") == 7);
  CHECK(number_in_name("frankfurt_000001_058914.png") == 58914);
  CHECK(number_in_name("scan.0012.tif") == 12);
  CHECK(number_in_name("0") == 0);
  for (const char* name : {"photo.jpg", "", "12/photo.png", "12_a.png", "1234567890123456789.png", "7/.png"})
    CHECK(number_in_name(name) == -1);
}
