// How both programs read their words: one command, its operands, its own options and those that every command has.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "../framework/ground/plugins/plugin_index.h"

namespace sectile {

struct PipelineSpec;
struct SpecFile;

struct CommonOptions {
  std::vector<std::string> changes;                // --set, in order: "/train/epochs=3"
  std::vector<std::filesystem::path> plugin_path;  // --plugin-path, searched first
  bool no_spec_plugins = false;                    // the spec's own plugin_path is not searched
  bool quiet = false;                              // results and errors only
  bool verbose = false;                            // errors with their backtraces
};

struct CommandLine {
  boost::program_options::variables_map given;  // of the command's own options
  std::vector<std::string> operands;
  CommonOptions common;
};

// Thrown after the help was printed: the command ends, and everything works.
struct HelpShown {};

// Parses the words of one command; words[1] is its name. `usage` is what follows "sectile" on the usage line, such as
// "check SPEC [--resolved]"; a command that names SPEC or CHECKPOINT there takes --set and --no-spec-plugins too.
// `most`: how many operands at the most, -1 for any number. Throws HelpShown on --help, boost::program_options::error
// on words that make no sense.
CommandLine parse(const std::vector<std::string>& words, const std::string& usage, const std::string& summary,
                  const boost::program_options::options_description& own, int least, int most);

// The components that can be named: in --plugin-path, then the spec's plugin_path (of no spec when null), then
// SECTILE_PLUGIN_PATH, then `sectile/plugins` beside libsectile.so.
PluginIndex open_plugins(const CommonOptions& options, const SpecFile* spec);

// What reading the spec noticed that is no mistake, one line each on the error stream, unless --quiet.
void tell_notes(const CommonOptions& options, const SpecFile& spec);

// The whole spec, checked; says its notes also where it is wrong, since a dropped option may explain the mistake.
PipelineSpec read_and_tell(const CommonOptions& options, const PluginIndex& index, const SpecFile& text);

}  // namespace sectile
