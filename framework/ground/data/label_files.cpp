#include <sectile/data/label_files.h>

namespace sectile {

LabelFiles::~LabelFiles() = default;

std::optional<std::vector<std::filesystem::path>> label_files_of(const Dataset& dataset) {
  const auto* role = dynamic_cast<const LabelFiles*>(&dataset);
  return role ? role->label_files() : std::nullopt;
}

}  // namespace sectile
