// Times losses of logits at a quarter of the labels' size, forward and backward:
//   bench_losses CLASSES LABELS LOGITS BATCH WARM_UP RUNS LOSS…
// LABELS, LOGITS: sides of squares. LOSS: JSON, as in a spec; the sum of all counts. Prints the milliseconds of each
// run, the most memory that was in use above the inputs (MiB), and the values that the peer should have too.
#include <chrono>
#include <fstream>
#include <iomanip>
#include <iostream>

#include <ATen/ATen.h>

#include <sectile/loss.h>

#include "support/component.h"

namespace {

// Of this process, in MiB; "VmRSS" or, at its largest since it was reset, "VmHWM".
double memory(const std::string& which) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == which + ":") {
      double kib = 0;
      status >> kib;
      return kib / 1024;
    }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const auto number = [&](int at) { return std::stol(words[at]); };
  const auto classes = number(1), labels = number(2), size = number(3), samples = number(4);
  std::vector<std::shared_ptr<sectile::Loss>> losses;
  for (int i = 7; i < count; ++i)
    losses.push_back(sectile::test::make<sectile::Loss>(words[i], sectile::test::context(static_cast<int>(classes))));

  at::manual_seed(1);
  sectile::Outputs outputs;
  outputs.logits = at::randn({samples, classes, size, size}).requires_grad_();
  sectile::Batch batch;
  batch.labels = at::randint(0, classes + 1, {samples, labels, labels}, at::kLong);
  batch.labels.masked_fill_(batch.labels == classes, sectile::kIgnore);

  std::ofstream("/proc/self/clear_refs") << "5\n";
  const double before = memory("VmRSS");
  at::Tensor value;
  std::cout << std::setprecision(9) << "{\"ms\": [";
  for (auto run = -number(5); run < number(6); ++run) {
    outputs.logits.mutable_grad().reset();
    const auto start = std::chrono::steady_clock::now();
    value = at::Tensor();
    for (const auto& loss : losses)
      for (const auto& term : (*loss)(outputs, batch)) value = value.defined() ? value + term.value : term.value;
    value.backward();
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
    if (run >= 0) std::cout << (run ? ", " : "") << passed.count();
  }
  std::cout << "], \"mib\": " << memory("VmHWM") - before << ", \"values\": [" << value.item<double>() << ", "
            << outputs.logits.grad().to(at::kDouble).norm().item<double>() << "]}\n";
}
