// The file of --report, in which evaluations leave all their results as JSON.
#pragma once

#include <filesystem>
#include <string>

#include "../command_line.h"

namespace sectile {

// Empty without --report. Tried before the work, not after it; only an earlier report is replaced. Throws
// boost::program_options::error.
std::filesystem::path report_file(const CommandLine& line);

// Text of JSON that begins as every report does: {"images": N, "skipped": [...], ...
void write_report(const std::filesystem::path& file, const std::string& text);

}  // namespace sectile
