#include "report_file.h"

#include <fstream>
#include <iostream>
#include <string_view>

#include "../../framework/ground/images/image_file.h"
#include "../printable.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// By its first members, in their order: other files of JSON have a member "images" too.
bool is_report(const std::filesystem::path& file) {
  constexpr std::string_view kBegin = "{\"images\": ", kThen = ", \"skipped\": [";
  char bytes[64] = {};
  std::ifstream(file).read(bytes, sizeof bytes);
  std::string_view begin(bytes, sizeof bytes);
  if (!begin.starts_with(kBegin)) return false;
  begin.remove_prefix(kBegin.size());
  begin.remove_prefix(std::min(begin.find_first_not_of("0123456789"), begin.size()));
  return begin.starts_with(kThen);
}

}  // namespace

fs::path report_file(const CommandLine& line) {
  if (!line.given.count("report")) return {};
  const auto given = line.given["report"].as<std::string>();
  if (given.empty()) throw po::error("--report: expected a file name, found nothing");
  const auto file = fs::is_symlink(given) ? fs::weakly_canonical(given) : fs::path(given);
  std::error_code missing;
  if (fs::exists(file, missing) && !(fs::is_regular_file(file, missing) && is_report(file)))
    throw po::error("--report: " + given + " exists, and is not an earlier report: choose another name");
  ReplacedFile{file};
  return file;
}

void write_report(const fs::path& file, const std::string& text) {
  ReplacedFile out(file);
  out.write(text.data(), text.size());
  out.write("\n", 1);
  out.commit();
}

void tell_report(const CommandLine& line, const fs::path& file, const std::string& tables, const FilesReport& report) {
  if (!line.common.quiet)
    for (const auto& note : report.notes) std::cerr << "note: " << printable(note) << "\n";
  std::cout << tables;
  if (!line.common.quiet) std::cout << report.convention << "\n";
  if (file.empty()) return;
  write_report(file, JsonLine()
                         .add("images", static_cast<std::int64_t>(report.images))
                         .add("skipped", std::vector<std::string>{})
                         .add("values", report.values)
                         .add("per_class", report.per_class)
                         .add("notes", report.notes)
                         .add("convention", report.convention)
                         .text());
}

}  // namespace sectile
