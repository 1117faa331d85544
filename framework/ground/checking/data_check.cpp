#include "data_check.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>
#include <utility>

#include <opencv2/core.hpp>

#include "in_order.h"
#include "sample_findings.h"

namespace sectile {
namespace {

constexpr std::size_t kMostKept = 100'000;  // findings on samples, of which each takes a few hundred bytes

struct Place {
  std::size_t split = 0, index = 0;
};

std::string text_of(const ImageType& type) {
  return std::to_string(type.channels) + (type.channels == 1 ? " channel of " : " channels of ") +
         cv::depthToString(type.depth) + (type.dimensions == 3 ? ", a volume" : "");
}

// The samples of all splits, compared with one another.
class Comparison {
 public:
  Comparison(const std::vector<Split>& splits, DataCheck& check) : splits_(splits), check_(check) {
    samples_.resize(splits.size());
    present_.resize(splits.size());
  }

  void take(std::size_t split, std::size_t index, CheckedSample sample) {
    const Place here{split, index};
    auto& known = samples_[split];
    known.ids.push_back(sample.id);
    for (auto& [finding, message] : sample.findings) add(finding, here, std::move(message));
    known.types.push_back(sample.image ? number_of(*sample.image) : kUnread);
    compare_ids(here, sample);
    if (sample.image && !sample.constant) compare_images(here, sample);
    known.hashes.push_back(sample.hash);
    known.dense += sample.dense;
    known.annotated += sample.annotated;
    if (sample.readable && !sample.dense) known.without_labels.push_back({index, sample.annotated});
    present_[split].insert(sample.classes.begin(), sample.classes.end());
  }

  // After the last sample of all splits.
  void finish() {
    report_types();
    for (std::size_t s = 0; s < splits_.size(); ++s) report_unlabeled(s);
    report_classes();
    std::stable_sort(check_.found.begin(), check_.found.end(), [this](const auto& a, const auto& b) {
      return std::pair(order_of(a.split), a.index ? *a.index + 1 : 0) <
             std::pair(order_of(b.split), b.index ? *b.index + 1 : 0);
    });
  }

  void add(Finding finding, std::size_t split, std::string message) {
    ++check_.counts[static_cast<std::size_t>(finding)];
    check_.found.push_back({finding, splits_[split].name, std::nullopt, "", std::move(message)});
  }

 private:
  static constexpr std::uint32_t kUnread = ~0u;
  struct Known {
    struct Unlabeled {
      std::size_t index;
      bool annotated;  // in another form
    };
    std::vector<std::string> ids;
    std::vector<std::uint32_t> types;  // positions in types_
    std::vector<PixelHash> hashes;
    std::unordered_map<std::string, std::size_t> by_id;
    std::vector<Unlabeled> without_labels;
    std::size_t dense = 0, annotated = 0;
  };

  void add(Finding finding, const Place& at, std::string message) {
    ++check_.counts[static_cast<std::size_t>(finding)];
    if (check_.found.size() < kMostKept)
      check_.found.push_back(
          {finding, splits_[at.split].name, at.index, samples_[at.split].ids[at.index], std::move(message)});
  }

  std::size_t order_of(const std::string& split) const {
    return static_cast<std::size_t>(
        std::find_if(splits_.begin(), splits_.end(), [&](const Split& one) { return one.name == split; }) -
        splits_.begin());
  }

  std::uint32_t number_of(const ImageType& type) {
    const auto found = std::find(types_.begin(), types_.end(), type);
    if (found == types_.end()) return types_.push_back(type), static_cast<std::uint32_t>(types_.size() - 1);
    return static_cast<std::uint32_t>(found - types_.begin());
  }

  enum class Compared { same, different, unknown };  // unknown: one of them cannot be read
  Compared compared(const Place& there, const CheckedSample& sample) const {
    const auto& known = samples_[there.split];
    if (!sample.image || known.types[there.index] == kUnread) return Compared::unknown;
    return known.hashes[there.index] == sample.hash ? Compared::same : Compared::different;
  }

  std::string name_of(const Place& place) const {
    return splits_[place.split].name + " sample " + std::to_string(place.index) + " (" +
           samples_[place.split].ids[place.index] + ")";
  }

  void compare_ids(const Place& here, const CheckedSample& sample) {
    auto& own = samples_[here.split].by_id;
    const auto [found, is_new] = own.emplace(sample.id, here.index);
    if (!is_new) {
      const Place there{here.split, found->second};
      const auto images = compared(there, sample);
      if (images == Compared::same) return add(Finding::sample_repeated, here, "has id and image of " + name_of(there));
      return add(Finding::id_twice, here,
                 "has the id of " + name_of(there) + (images == Compared::different ? ", and another image" : ""));
    }
    for (std::size_t s = 0; s < here.split; ++s) {
      const auto other = samples_[s].by_id.find(sample.id);
      if (other == samples_[s].by_id.end()) continue;
      const Place there{s, other->second};
      if (compared(there, sample) == Compared::different)
        add(Finding::id_in_two_splits, here, "has the id of " + name_of(there) + ", and another image");
    }
  }

  void compare_images(const Place& here, const CheckedSample& sample) {
    auto& places = images_[sample.hash];
    const auto own = std::find_if(places.begin(), places.end(), [&](const Place& p) { return p.split == here.split; });
    if (own != places.end()) {
      if (samples_[own->split].ids[own->index] != sample.id)
        add(Finding::image_twice, here, "has the same image as " + name_of(*own));
      return;
    }
    for (const auto& place : places) add(Finding::image_in_two_splits, here, "has the same image as " + name_of(place));
    places.push_back(here);
  }

  void report_types() {
    std::vector<std::size_t> counts(types_.size());
    for (const auto& known : samples_)
      for (const auto type : known.types)
        if (type != kUnread) ++counts[type];
    if (counts.size() < 2) return;
    const auto& usual =
        types_[static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())];
    for (std::size_t s = 0; s < samples_.size(); ++s)
      for (std::size_t i = 0; i < samples_[s].types.size(); ++i) {
        if (samples_[s].types[i] == kUnread) continue;
        const auto& type = types_[samples_[s].types[i]];
        const auto message = "has " + text_of(type) + ", and most images have " + text_of(usual);
        const bool convertible =
            type.dimensions == 2 && usual.dimensions == 2 && type.channels + usual.channels == 4 && type.channels != 2;
        if (type.channels != usual.channels || type.dimensions != usual.dimensions)
          add(convertible ? Finding::gray_and_color : Finding::other_channels, Place{s, i}, message);
        if (type.depth != usual.depth) add(Finding::other_depth, Place{s, i}, message);
      }
  }

  void report_unlabeled(std::size_t split) {
    const auto& known = samples_[split];
    if (known.ids.empty()) return;
    if (known.annotated == 0 && known.without_labels.size() == known.ids.size())  // and all can be read
      return add(Finding::no_annotation, split, "none of its " + std::to_string(known.ids.size()) + " samples has any");
    for (const auto& [index, annotated] : known.without_labels)
      if (known.dense > 0)
        add(Finding::unlabeled, Place{split, index},
            "has no labels, as " + std::to_string(known.dense) + " samples of this split have");
      else if (!annotated)
        add(Finding::no_annotation, Place{split, index}, "has no objects, segments or tags");
  }

  void report_classes() {
    const auto train = order_of("train");
    if (train == splits_.size() || samples_[train].annotated == 0) return;
    const auto& classes = splits_[train].data->labels().classes;
    for (std::size_t c = 0; c < classes.size(); ++c) {
      if (present_[train].count(static_cast<int>(c))) continue;
      std::string elsewhere;
      for (std::size_t s = 0; s < splits_.size(); ++s)
        if (present_[s].count(static_cast<int>(c))) elsewhere += (elsewhere.empty() ? "" : " and ") + splits_[s].name;
      const auto name = "class " + std::to_string(c) + " (" + classes[c].name + ")";
      add(elsewhere.empty() ? Finding::class_nowhere : Finding::class_not_in_train, train,
          elsewhere.empty() ? name + " never occurs" : name + " occurs only in " + elsewhere);
    }
  }

  const std::vector<Split>& splits_;
  DataCheck& check_;
  std::vector<Known> samples_;  // by split
  std::vector<std::set<int>> present_;
  std::vector<ImageType> types_;
  std::unordered_map<PixelHash, std::vector<Place>, PixelHash::Bucket> images_;  // the first one of each split
};

void compare_classes(const std::vector<Split>& splits, Comparison& comparison) {
  const Split* first = nullptr;
  for (std::size_t s = 0; s < splits.size(); ++s) {
    if (!splits[s].data || splits[s].data->labels().classes.empty()) continue;
    if (!first) {
      first = &splits[s];
      continue;
    }
    const auto found = splits[s].data->labels().difference(first->data->labels());
    if (!found.empty()) comparison.add(Finding::classes_differ, s, "differs from " + first->name + ": " + found);
  }
}

}  // namespace

std::int64_t DataCheck::faults() const {
  return std::accumulate(counts.begin(), counts.begin() + static_cast<int>(kFirstNote), std::int64_t{0});
}
std::int64_t DataCheck::notes() const {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) - faults();
}

DataCheck check_data(const std::vector<Split>& splits, int workers, const DataProgress& progress) {
  DataCheck check;
  Comparison comparison(splits, check);
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const auto& split = splits[s];
    const auto size = split.data ? split.data->size() : 0;
    check.splits.push_back({split.name, size});
    if (!split.data) comparison.add(Finding::split_unreadable, s, split.problem);
    for (const auto& text : split.left_out) comparison.add(Finding::left_out, s, text);
    for (const auto& text : split.notes) comparison.add(Finding::dataset_note, s, text);
    in_order(
        size, workers, [&](std::size_t index) { return check_sample_of(split.data, index); },
        [&, s, size](std::size_t index, CheckedSample sample) {
          comparison.take(s, index, std::move(sample));
          progress(split.name, index + 1, size);
        });
  }
  compare_classes(splits, comparison);
  comparison.finish();
  return check;
}

}  // namespace sectile
