// Samplers: a pure function from an epoch to as many indexes as are wanted.
#include <algorithm>

#include <sectile/sampler.h>

#include "contract.h"

namespace sectile::contract {

Findings sampler_contract(const Subject& subject) {
  Findings findings;
  const auto sampler = build<Sampler>(subject, context(3));
  if (!sampler) return findings;
  for (const std::size_t available : {1, 7, 100}) {
    const auto whole = sampler->samples_per_epoch(available);
    findings.expect(whole >= 1, "says that an epoch of " + std::to_string(available) + " samples has none");
    for (const std::size_t wanted : {whole, std::size_t{1}, 3 * available})
      for (const std::size_t epoch : {0, 5}) {
        const EpochRequest request{epoch, wanted, available};
        const auto drawn = sampler->draw(request, Random{1, epoch});
        const auto where = std::to_string(wanted) + " of " + std::to_string(available) + " samples";
        findings.expect(drawn.size() == wanted, where + ": gives " + std::to_string(drawn.size()));
        findings.expect(std::all_of(drawn.begin(), drawn.end(), [&](auto index) { return index < available; }),
                        where + ": gives one that is not there");
        findings.expect(drawn == sampler->draw(request, Random{1, epoch}), where + ": gives others when asked again");
      }
  }
  return findings;
}

}  // namespace sectile::contract
