// Datasets that need no file, and those made of one: samples that fit their own label map, the same each time.
#include <set>

#include <opencv2/core.hpp>

#include <sectile/dataset.h>

#include "contract.h"

namespace sectile::contract {
namespace {

void check_sample(Findings& findings, const Dataset& data, std::size_t index) {
  const auto sample = data.read(index), again = data.read(index);
  const auto where = "sample " + std::to_string(index);
  const auto classes = static_cast<int>(data.labels().classes.size());
  findings.expect(!sample.id.empty(), where + " has no name");
  findings.expect(!sample.image.empty(), where + " has no image");
  findings.expect(sample.id == again.id && cv::norm(sample.image, again.image, cv::NORM_INF) == 0,
                  where + " differs when read again");
  findings.expect(sample.labels.empty() || extent(sample.labels) == extent(sample.image),
                  where + ": image and labels differ in size");
  if (sample.labels.type() == CV_16SC1 && !sample.labels.empty()) {
    double low = 0, high = 0;
    cv::minMaxLoc(sample.labels, &low, &high);
    findings.expect(low >= kIgnore && high < classes, where + ": labels are not class numbers");
  }
  for (const auto& instance : sample.instances)
    findings.expect(instance.category >= 0 && instance.category < classes, where + ": an instance has no known class");
  findings.expect(data.id_of(index) == sample.id, where + " has another name when only that is asked for");
  const auto truth = data.read(index, {.image = false, .labels = true, .objects = true});
  findings.expect(truth.id == sample.id, where + " has another name when read without its image");
  findings.expect(same_pixels(truth.labels, sample.labels),
                  where + ": labels read alone differ from those beside the image");
  findings.expect(truth.instances.size() == sample.instances.size() && truth.tags == sample.tags &&
                      same_pixels(truth.segment_ids, sample.segment_ids),
                  where + ": objects read without the image differ from those beside it");
  const auto image = data.read(index, {.image = true, .labels = false, .objects = false}).image;
  findings.expect(same_pixels(image, sample.image), where + ": the image read alone differs from that beside labels");
  findings.expect(data.extent_of(index) == extent(sample.image), where + ": its size is not that of its image");
  const auto named = data.classes_of(index), found = data.Dataset::classes_of(index);
  findings.expect(named == found, where + ": the classes that it names are not those that are annotated");
}

}  // namespace

Findings dataset_contract(const Subject& subject) {
  Findings findings;
  if (!required_options(subject)) return findings;
  BuildContext without_labels;
  const auto data = build<Dataset>(subject, without_labels);
  if (!data) return findings;
  findings.expect(data->size() > 0, "it is empty");
  std::set<std::string> names;
  for (const auto& one : data->labels().classes) names.insert(one.name);
  findings.expect(!names.empty() && names.size() == data->labels().classes.size() && !names.count(""),
                  "its classes are not named, or not apart");
  for (std::size_t i = 0; i < std::min<std::size_t>(3, data->size()); ++i)
    findings.attempt("reading a sample", [&] { check_sample(findings, *data, i); });
  return findings;
}

}  // namespace sectile::contract
