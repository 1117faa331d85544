// The file of --report, in which evaluations leave all their results as JSON.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../../framework/ground/json_line.h"
#include "../command_line.h"

namespace sectile {

// Empty without --report. Tried before the work, not after it; only an earlier report is replaced. Throws
// boost::program_options::error.
std::filesystem::path report_file(const CommandLine& line);

// Of predictions in files that are no label maps.
struct FilesReport {
  std::size_t images = 0;
  JsonLine values{}, per_class{};
  std::vector<std::string> notes{};
  std::string convention{};
};

// Prints the notes, the tables and the convention, and writes the file of --report.
void tell_report(const CommandLine& line, const std::filesystem::path& file, const std::string& tables,
                 const FilesReport& report);

// Text of JSON that begins as every report does: {"images": N, "skipped": [...], ...
void write_report(const std::filesystem::path& file, const std::string& text);

}  // namespace sectile
