#include <iostream>

#include "../../framework/ground/file_notes.h"
#include "../../framework/ground/spec/pipeline_spec.h"
#include "../../framework/ground/spec/spec_text.h"
#include "../../framework/upper/checking/check.h"
#include "../command_line.h"
#include "upper_commands.h"

namespace sectile {

namespace fs = std::filesystem;

void check(int count, char** words) {
  boost::program_options::options_description own("Options of check");
  own.add_options()("resolved", "only print the spec with everything it extends and all default values")(
      "data", "also read every sample");
  const auto line = parse({words, words + count}, "check SPEC [--resolved] [--data] [--set PTR=VALUE]...",
                          "Checks everything about a training run that can be known without training it, and reports\n"
                          "all errors: components and options, data, weights, metrics, parameter names, and whether\n"
                          "model, losses and data fit together, on one batch.",
                          own, 1, 1);
  const auto text = open_spec(line.operands[0], line.common.changes);
  const auto index = open_plugins(line.common, text.get());
  auto spec = read_and_tell(line.common, index, *text);
  if (line.given.count("resolved")) {
    std::cout << resolved_text(spec) << "\n";
    return;
  }
  AllProblems all;
  auto pipeline = Pipeline::as_far_as_possible(index, std::move(spec), at::kCPU, /*initial_weights=*/true, all);
  check_training(pipeline, all);
  if (std::error_code unknown;
      fs::exists(pipeline.spec.output, unknown) && !fs::is_directory(pipeline.spec.output, unknown))
    all.try_to("/output", [&] { throw SpecError("/output", pipeline.spec.output.string() + " is not a folder"); });
  if (line.given.count("data")) check_samples(pipeline, all);
  if (!line.common.quiet)
    for (const auto& notes : {pipeline.notes, take_file_notes()})
      for (const auto& note : notes) std::cerr << "note: " << note << "\n";
  if (!all.none()) throw SpecError(all.problems());
  if (!line.common.quiet) std::cout << line.operands[0] << ": all checks passed\n";
}

}  // namespace sectile
