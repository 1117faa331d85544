#include "dataset_identity.h"

#include <utility>

#include "json_writer.h"

namespace sectile {
namespace {

struct NamedDataset {
  Ref<Dataset> data;
  void declare(Options& options) { options.add("data", &data, "The dataset."); }
};

}  // namespace

std::string identity_of(Task task, Ref<Dataset> dataset) {
  NamedDataset named{std::move(dataset)};
  auto json = resolved(&named, kValueType<NamedDataset>);
  json["task"] = static_cast<int>(task);
  json["sectile"] = SECTILE_VERSION;
  return json_text(json);
}

}  // namespace sectile
