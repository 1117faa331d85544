#include <sectile/data/sample_names.h>

#include <filesystem>

namespace sectile {
namespace {

namespace fs = std::filesystem;

std::string name_of(const std::string& file_name) {
  fs::path name;
  for (const auto& part : fs::path(file_name).lexically_normal().relative_path())
    if (part != "..") name /= part;
  return name.replace_extension().string();
}

}  // namespace

std::string SampleNames::add(const std::string& file_name, std::int64_t id, std::string& fault) {
  const auto name = name_of(file_name);
  const bool is_new = !name.empty() && names_.insert(name).second;
  if (!is_new && fault.empty()) {
    if (file_name.empty())
      fault = "has no file_name";
    else if (name.empty())
      fault = "has the file_name \"" + file_name + "\", which names no file";
    else
      fault = "has the file_name \"" + file_name + "\", and another image is named \"" + name +
              "\" (without suffix) too; give each its own";
  }
  return is_new ? name : "image " + std::to_string(id);
}

}  // namespace sectile
