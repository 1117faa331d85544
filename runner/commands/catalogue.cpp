#include <filesystem>
#include <fstream>
#include <iostream>

#include <sectile/error.h>

#include "../../framework/ground/file_notes.h"
#include "../../framework/ground/images/image_file.h"
#include "../../framework/ground/weights/catalogue_listing.h"
#include "../../framework/ground/weights/weights_cache.h"
#include "../command_line.h"
#include "../download_progress.h"
#include "commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSummary =
    "Published weights: those of the catalogue, and downloads of them, which are checked and kept in a cache.\n\n"
    "  list [FILTER]  list the names that contain FILTER, in any case, and what this installation lacks to use them\n"
    "  get NAME       download them, unless they are in the cache, and print the file's path\n\n"
    "More: docs/published-weights.md; the other actions: sectile weights show --help.";

void write_copy(const fs::path& from, const fs::path& to) {
  std::ifstream in(from, std::ios::binary);
  ReplacedFile out(to);
  char bytes[1 << 16];
  while (in.read(bytes, sizeof bytes) || in.gcount() > 0) out.write(bytes, static_cast<std::size_t>(in.gcount()));
  if (!in.eof()) throw DataError(from, "cannot be read");
  out.commit(true);
}

// Only a regular file is replaced: a link or a pipe would become one, and what it led to get nothing.
void check_output(const fs::path& output, const fs::path& cached, bool overwrite) {
  std::error_code unknown;
  if (fs::weakly_canonical(output, unknown) == fs::weakly_canonical(cached, unknown))
    throw DataError(output, "is the file in the cache itself; name another one");
  const auto type = fs::symlink_status(output, unknown).type();
  if (type == fs::file_type::not_found) return;
  if (type != fs::file_type::regular)
    throw DataError(output, "is not a regular file, and is not replaced; name another one");
  if (!overwrite) throw DataError(output, "exists already; replace it with --overwrite");
}

void get(const CommandLine& line, const std::string& name) {
  const auto output = line.given.count("output") ? line.given["output"].as<std::string>() : "";
  const auto* entry = find_entry(name);
  if (!entry) throw DataError(name, "is not the name of published weights" + entry_suggestion(name));
  if (!output.empty()) check_output(output, cached_file(*entry), line.given.count("overwrite") > 0);
  auto how = told_downloads(line.common.quiet);
  how.check_contents = true;
  const auto file = weights_file(*entry, how);
  if (!line.common.quiet)
    for (const auto& note : take_file_notes()) std::cerr << "note: " << note << "\n";
  if (!output.empty()) write_copy(file, output);
  std::cout << (output.empty() ? file.string() : output) << "\n";
}

void refuse_unused(const CommandLine& line, bool gets) {
  using Options = std::vector<const char*>;
  for (const char* option : gets ? Options{"json"} : Options{"output", "overwrite"})
    if (line.given.count(option))
      throw po::error(std::string(gets ? "weights get" : "weights list") + " takes no --" + option);
  if (line.given.count("overwrite") && !line.given.count("output")) throw po::error("--overwrite needs --output");
}

}  // namespace

void weights_catalogue(int count, char** words) {
  po::options_description own("Options of weights list and weights get");
  own.add_options()("json", "list: print JSON")("output,o", po::value<std::string>()->value_name("FILE"),
                                                "get: also write the file there")(
      "overwrite", "get: replace a file that exists already");
  const auto line = parse({words, words + count}, "weights list|get [NAME] [OPTION]...", kSummary, own, 1, 2);
  const auto name = line.operands.size() > 1 ? line.operands[1] : "";
  const bool gets = line.operands[0] == "get";
  refuse_unused(line, gets);
  if (gets) {
    if (name.empty()) throw po::error("weights get needs NAME\nMore: sectile weights list");
    return get(line, name);
  }
  const auto index = open_plugins(line.common, nullptr);
  std::cout << (line.given.count("json") ? catalogue_json(index, name) + "\n" : catalogue_text(index, name));
}

}  // namespace sectile
