// Which file of a folder belongs to a name.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace image_folder {

// The suffix of a name, with its dot, if it is that of a format that can be read; else "".
std::string image_suffix(const std::string& name);

// In any case: "a.JPG" ends with ".jpg".
bool ends_with(const std::string& name, const std::string& suffix);
bool is_jpeg(const std::filesystem::path& file);  // by its suffix

// "2 of \".gif\", 1 of \".txt\""
std::string counted_suffixes(const std::vector<std::string>& names);

bool is_file(const std::filesystem::path& path);

// Numbers inside names count as numbers: "2" comes before "10".
bool natural_less(const std::string& a, const std::string& b);

// Throws OptionError where an option names a folder that is none.
void check_folder(const std::filesystem::path& folder, const char* option);

// Names of all files below a folder, with "/", also of those that cannot be read, such as links to nowhere; without
// those of the folder `except`, those whose name or folder begins with a dot, and links that lead back to a folder
// above. Throws DataError.
std::vector<std::string> files_below(const std::filesystem::path& folder, const std::filesystem::path& except = {});

// Files by their names without suffix.
class Stems {
 public:
  explicit Stems(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void add(const std::string& stem, const std::string& suffix) { suffixes_[stem].push_back(suffix); }

  // "" where there is none. Throws DataError where there are two.
  std::filesystem::path find(const std::string& stem) const;

 private:
  std::filesystem::path folder_;
  std::map<std::string, std::vector<std::string>> suffixes_;
};

}  // namespace image_folder
