#include <sectile/data/label_files.h>

namespace sectile {

LabelFiles::~LabelFiles() = default;

}  // namespace sectile
