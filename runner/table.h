// What an evaluation found, as text.
#pragma once

#include <string>

#include "../framework/upper/inference/evaluation.h"

namespace sectile {

std::string table(const Evaluation& evaluation, const LabelMap& labels);  // per class, then the headline values
std::string headline(const Evaluation& evaluation);                       // "mIoU 0.912, accuracy 0.981"

// What was wrong with samples that were skipped, the first few of them; empty where there were none.
std::string skipped(const std::vector<std::string>& reasons);

}  // namespace sectile
