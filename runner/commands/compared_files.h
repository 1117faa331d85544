// evaluate --truth … --predictions …: files of anybody, compared without a network.
#pragma once

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>

#include "../command_line.h"

namespace sectile {

enum class FileKind { results, panoptic, label_maps };

struct ComparedFiles {
  CommandLine line;
  std::filesystem::path truth, predictions;
  FileKind kind = FileKind::results;  // found by looking at them
  int threads = 1;
  std::filesystem::path report;  // empty: none
};

// Throws boost::program_options::error for options of another kind of files than these.
ComparedFiles compared_files(int count, char** words);

// Whether the command line asks for it, even if it cannot be parsed.
bool names_files(int count, char** words);

void evaluate_results(const ComparedFiles& files);     // average precision
void evaluate_panoptic(const ComparedFiles& files);    // panoptic quality
void evaluate_label_maps(const ComparedFiles& files);  // metrics, which need LibTorch: of sectile-compute

// For tables.
inline std::string number(double value) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}
inline std::set<std::size_t> all_but_first_of(std::size_t columns) {
  std::set<std::size_t> all;
  for (std::size_t i = 1; i < columns; ++i) all.insert(i);
  return all;
}

}  // namespace sectile
