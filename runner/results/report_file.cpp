#include "report_file.h"

#include <fstream>
#include <string_view>

#include "../../framework/ground/images/image_file.h"

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
  std::fwrite(text.data(), 1, text.size(), out.stream());
  std::fputc('\n', out.stream());
  out.commit();
}

}  // namespace sectile
