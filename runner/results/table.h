// Evaluation results as text.
#pragma once

#include <string>

#include "../../framework/upper/inference/evaluation.h"

namespace sectile {

std::string table(const Evaluation& evaluation, const LabelMap& labels);  // per class, then the overall values
std::string headline(const Evaluation& evaluation);                       // "mIoU 0.912, accuracy 0.981"

// Errors of the first few skipped samples; empty if there were none.
std::string skipped(const std::vector<std::string>& reasons);

}  // namespace sectile
