// Command line of both programs: one command, its operands, its own options and the common options.
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
  bool no_spec_plugins = false;                    // do not search the spec's own plugin_path
  bool quiet = false;                              // only results and errors
  bool verbose = false;                            // errors with backtraces
};

struct CommandLine {
  boost::program_options::variables_map given;  // the command's own options
  std::vector<std::string> operands;
  CommonOptions common;
};

// Thrown after printing the help, to end the command successfully.
struct HelpShown {};

// Parses the arguments of one command; words[1] is its name. `usage` is what follows "sectile" on the usage line, such
// as "check SPEC [--resolved]"; a command that names SPEC or CHECKPOINT there takes --set and --no-spec-plugins too.
// `most`: maximum number of operands, -1 for any number. Throws HelpShown on --help, boost::program_options::error on
// invalid arguments.
CommandLine parse(const std::vector<std::string>& words, const std::string& usage, const std::string& summary,
                  const boost::program_options::options_description& own, int least, int most);

// The available components: in --plugin-path, the spec's plugin_path (if not null), SECTILE_PLUGIN_PATH, and
// `sectile/plugins` next to libsectile.so.
PluginIndex open_plugins(const CommonOptions& options, const SpecFile* spec);

// Prints notes from reading the spec, one line each on the error stream, unless --quiet.
void tell_notes(const CommonOptions& options, const SpecFile& spec);

// Prints what was found wrong with plugin folders and files, and which components hide others, unless --quiet.
void tell_plugins(const CommonOptions& options, const PluginIndex& index);

// Reads and checks the whole spec. Prints notes on plugins, and those of the spec even if it is invalid, since a
// dropped option may explain the error.
PipelineSpec read_and_tell(const CommonOptions& options, const PluginIndex& index, const SpecFile& text);

}  // namespace sectile
