#include "command_line.h"

#include <algorithm>
#include <iostream>

#include "../framework/ground/spec/pipeline_spec.h"
#include "../framework/ground/spec/spec_text.h"
#include "../framework/ground/spec/suggestion.h"
#include "download_progress.h"

namespace sectile {
namespace {

namespace po = boost::program_options;

constexpr const char* kOperand = "(operand)";  // program_options needs a name, even for operands

po::options_description common_options(CommonOptions& common, bool of_spec) {
  po::options_description options("Common options");
  auto add = options.add_options();
  if (of_spec) {
    add("set", po::value(&common.changes)->value_name("PTR=VALUE"),
        "override a value of the spec, by JSON pointer: /train/epochs=3 (repeatable)");
    add("no-spec-plugins", po::bool_switch(&common.no_spec_plugins), "ignore the spec's plugin_path");
  }
  const auto keep_folders = [&common](const std::vector<std::string>& folders) {
    common.plugin_path.assign(folders.begin(), folders.end());  // as text first: parsing a path stops at a space
  };
  add("plugin-path", po::value<std::vector<std::string>>()->notifier(keep_folders)->value_name("DIR"),
      "search this folder for plugins first (repeatable)");
  add("quiet", po::bool_switch(&common.quiet), "print only results and errors");
  add("verbose", po::bool_switch(&common.verbose), "print errors with their backtraces");
  add("help", "print this help");
  return options;
}

po::error unknown_option(std::string name, const po::options_description& known) {
  name.erase(0, name.find_first_not_of('-'));
  std::vector<std::string> names;
  for (const auto& option : known.options())
    if (option->long_name() != kOperand) names.push_back("--" + option->long_name());
  return po::error("unknown option \"--" + name + "\"" + suggestion("--" + name, names));
}

}  // namespace

CommandLine parse(const std::vector<std::string>& words, const std::string& usage, const std::string& summary,
                  const po::options_description& own, int least, int most) {
  CommandLine line;
  const std::string command = words[1];
  const bool of_spec = usage.find("SPEC") != std::string::npos || usage.find("CHECKPOINT") != std::string::npos;
  const auto shared = common_options(line.common, of_spec);
  po::options_description all;
  all.add(own).add(shared).add_options()(kOperand, po::value(&line.operands), "");
  const auto wrong = [&](const std::string& what) {
    return po::error(what + "\nusage: sectile " + usage + "\nMore: sectile " + command + " --help");
  };
  try {
    const auto no_guessing = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    const auto parsed = po::command_line_parser(std::vector<std::string>(words.begin() + 2, words.end()))
                            .options(all)
                            .positional(po::positional_options_description().add(kOperand, -1))
                            .style(no_guessing)
                            .run();
    po::store(parsed, line.given);
    if (line.given.count("help")) {
      std::cout << "usage: sectile " << usage << "\n\n" << summary << "\n";
      if (!own.options().empty()) std::cout << "\n" << own;
      std::cout << "\n" << shared;
      throw HelpShown();
    }
    po::notify(line.given);
  } catch (const po::unknown_option& error) {
    throw wrong(unknown_option(error.get_option_name(), all).what());
  } catch (const po::error& error) {
    throw wrong(error.what());
  }
  const auto found = static_cast<int>(line.operands.size());
  if (found < least)
    throw wrong("\"sectile " + command + "\" needs " +
                (least == 1 ? "an operand" : std::to_string(least) + " operands") + ", found " +
                (found == 0 ? "none" : std::to_string(found)));
  if (most >= 0 && found > most)
    throw wrong("\"sectile " + command + "\" takes " + (most == 0 ? "no operand" : "at most " + std::to_string(most)) +
                ", found \"" + line.operands[static_cast<std::size_t>(most)] + "\"");
  set_download_options(told_downloads(line.common.quiet));
  return line;
}

PluginIndex open_plugins(const CommonOptions& options, const SpecFile* spec) {
  return PluginIndex(plugin_folders(options.plugin_path, options.no_spec_plugins ? nullptr : spec));
}

void tell_notes(const CommonOptions& options, const SpecFile& spec) {
  if (options.quiet) return;
  for (const auto& [pointer, message] : notes(spec)) std::cerr << "note: " << pointer << ": " << message << "\n";
}

void tell_plugins(const CommonOptions& options, const PluginIndex& index) {
  if (options.quiet) return;
  constexpr std::size_t kMost = 5;  // of a kind
  const auto tell = [](const std::vector<std::string>& notes) {
    for (std::size_t i = 0; i < notes.size() && i < kMost; ++i) std::cerr << "note: " << notes[i] << "\n";
    if (notes.size() > kMost) std::cerr << "note: and " << notes.size() - kMost << " more; see sectile list\n";
  };
  std::vector<std::string> missing, skipped, shadowed;
  for (const auto& [folder, problem] : index.searched())
    if (!problem.empty()) missing.push_back("plugin folder " + folder.string() + " cannot be searched: " + problem);
  for (const auto& [file, problem] : index.skipped()) skipped.push_back(file.string() + " is skipped: " + problem);
  for (const auto& [entry, by] : index.shadowed())
    shadowed.push_back(entry.kind + " \"" + entry.name + "\" is that of " + by.string() + ", which comes before " +
                       entry.file.string());
  for (const auto* notes : {&missing, &skipped, &shadowed}) tell(*notes);
}

PipelineSpec read_and_tell(const CommonOptions& options, const PluginIndex& index, const SpecFile& text) {
  tell_plugins(options, index);
  try {
    auto spec = read_spec(index, text);
    tell_notes(options, text);
    return spec;
  } catch (...) {
    tell_notes(options, text);
    throw;
  }
}

}  // namespace sectile
