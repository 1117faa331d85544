// What is odd about files that could be read all the same.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sectile {

// From any thread. A process notes each text once, and no more than 20; then one that says so.
void note_file(const std::filesystem::path& file, const std::string& what);

// Those since the last call, as "file: what".
std::vector<std::string> take_file_notes();

}  // namespace sectile
