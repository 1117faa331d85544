// Everything that is wrong or odd in the datasets of a spec, found at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "findings.h"
#include "open_dataset.h"

namespace sectile {

struct DataCheck {
  struct Found {
    Finding finding{};
    std::string split{};
    std::optional<std::size_t> index{};  // of the sample; none: about the whole split
    std::string id{};
    std::string message{};
  };
  struct SplitSize {
    std::string name;
    std::size_t samples = 0;
  };
  std::vector<SplitSize> splits{};
  std::vector<Found> found{};                    // split by split, in the order of samples; up to 100,000 on samples
  std::array<std::int64_t, kFindings> counts{};  // of all, also those beyond
  std::int64_t faults() const;
  std::int64_t notes() const;
};

// split: its name; done, total: samples of it.
using DataProgress = std::function<void(const std::string& split, std::size_t done, std::size_t total)>;

// Reads every sample once, in `workers` threads (at least one), on which the result does not depend. Memory: one sample
// per thread, and about 200 bytes for each sample of the splits. progress is never called twice at once.
DataCheck check_data(const std::vector<Split>& splits, int workers, const DataProgress& progress);

// A table of what was found, and the first `most` findings, faults before notes.
std::string check_text(const DataCheck& check, std::size_t most);
std::string check_json(const DataCheck& check);

}  // namespace sectile
