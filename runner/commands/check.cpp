#include <iostream>

#include "../../framework/ground/spec/pipeline_spec.h"
#include "../../framework/ground/spec/spec_text.h"
#include "../command_line.h"
#include "commands.h"

namespace sectile {
void check(int count, char** words) {
  boost::program_options::options_description own("Options of check");
  own.add_options()("resolved", "print the spec with everything it extends and all default values");
  const auto line = parse({words, words + count}, "check SPEC [--resolved] [--set PTR=VALUE]...",
                          "Checks the components and options of a spec, and reports all errors. Data, weights "
                          "and\nwhether model, loss and data fit together are checked when training starts.",
                          own, 1, 1);
  const auto text = open_spec(line.operands[0], line.common.changes);
  const auto spec = read_and_tell(line.common, open_plugins(line.common, text.get()), *text);
  if (line.given.count("resolved"))
    std::cout << resolved_text(spec) << "\n";
  else if (!line.common.quiet)
    std::cout << line.operands[0] << ": all checks passed\n";
}

}  // namespace sectile
