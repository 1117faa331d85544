// Samplers: a pure function from an epoch to as many indexes as are wanted.
#include <algorithm>

#include <sectile/dataset.h>
#include <sectile/error.h>
#include <sectile/sampler.h>

#include "contract.h"

namespace sectile::contract {
namespace {

// Annotation of so many samples, of which every fourth has no class, and no image.
class Annotations final : public Dataset {
 public:
  Annotations(std::size_t count, LabelMap labels) : count_(count), labels_(std::move(labels)) {}
  std::size_t size() const override { return count_; }
  using Dataset::read;
  Sample read(std::size_t index, Parts wanted) const override {
    if (wanted.image) throw PluginError("dataset", "a sampler reads images");
    Sample sample;
    sample.id = "sample " + std::to_string(index);
    if (wanted.objects && index % 4 != 3) sample.tags = {static_cast<int>(index) % kClasses};
    return sample;
  }
  const LabelMap& labels() const override { return labels_; }

 private:
  std::size_t count_;
  LabelMap labels_;
};

void check_sampler(Findings& findings, const Sampler& sampler, std::size_t available) {
  const auto whole = sampler.samples_per_epoch(available);
  findings.expect(whole >= 1, "says that an epoch of " + std::to_string(available) + " samples has none");
  for (const std::size_t wanted : {whole, std::size_t{1}, 3 * available})
    for (const std::size_t epoch : {0, 5}) {
      const EpochRequest request{epoch, wanted, available};
      const auto drawn = sampler.draw(request, Random{1, epoch});
      const auto where = std::to_string(wanted) + " of " + std::to_string(available) + " samples";
      findings.expect(drawn.size() == wanted, where + ": gives " + std::to_string(drawn.size()));
      findings.expect(std::all_of(drawn.begin(), drawn.end(), [&](auto index) { return index < available; }),
                      where + ": gives one that is not there");
      findings.expect(drawn == sampler.draw(request, Random{1, epoch}), where + ": gives others when asked again");
    }
}

}  // namespace

Findings sampler_contract(const Subject& subject) {
  Findings findings;
  for (const std::size_t available : {1, 7, 100}) {
    auto of_data = context(kClasses);
    of_data.data = std::make_shared<Annotations>(available, *of_data.labels);
    const auto sampler = build<Sampler>(subject, of_data);
    if (!sampler) return findings;
    check_sampler(findings, *sampler, available);
  }
  return findings;
}

}  // namespace sectile::contract
