#include <iostream>

#include "../framework/ground/spec/pipeline_spec.h"
#include "../framework/ground/spec/spec_text.h"
#include "command_line.h"
#include "commands.h"

namespace sectile {
namespace {

PipelineSpec read(const CommandLine& line, const SpecFile& text) {
  try {
    auto spec = read_spec(open_plugins(line.common, &text), text);
    tell_notes(line.common, text);
    return spec;
  } catch (...) {
    tell_notes(line.common, text);  // a dropped option may explain the mistake
    throw;
  }
}

}  // namespace

void check(int count, char** words) {
  boost::program_options::options_description own("Options of check");
  own.add_options()("resolved", "print the spec with everything that it extends and every default filled in");
  const auto line = parse(count, words, "check SPEC [--resolved] [--set PTR=VALUE]...",
                          "Reads a spec as training would, and reports every mistake in it.", own, 1, 1);
  const auto text = open_spec(line.operands[0], line.common.changes);
  const auto spec = read(line, *text);
  if (line.given.count("resolved"))
    std::cout << resolved_text(spec) << "\n";
  else if (!line.common.quiet)
    std::cout << line.operands[0] << ": no mistakes found\n";
}

}  // namespace sectile
