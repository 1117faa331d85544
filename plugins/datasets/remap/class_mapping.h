// From the classes of a dataset to others, in everything that a sample has.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sectile/context.h>
#include <sectile/options.h>
#include <sectile/sample.h>

namespace remap {

struct NewClass {
  std::string name;
  std::vector<std::string> from;            // empty: the class of the same name
  std::optional<std::array<int, 3>> color;  // RGB
  std::optional<bool> thing;

  void declare(sectile::Options& options);
};

enum class Others { keep, ignore, error };  // classes of the dataset that are not named

struct ClassList {
  std::vector<NewClass> classes;
  std::vector<std::string> ignore;

  void declare(sectile::Options& options);
  void check(sectile::Problems& problems) const;
};

class Mapping {
 public:
  // Throws OptionError.
  Mapping(const ClassList& list, Others others, const sectile::LabelMap& old);

  const sectile::LabelMap& labels() const { return labels_; }
  void apply(sectile::Sample& sample) const;                      // and its support
  std::vector<int> apply(const std::vector<int>& classes) const;  // ascending, each once

 private:
  void add(const NewClass& made, std::size_t index, const sectile::LabelMap& old);
  void take(const std::string& name, const std::string& option, int number, const sectile::LabelMap& old);
  int of(int number) const { return numbers_.at(static_cast<std::size_t>(number)); }
  cv::Mat apply_to_numbers(const cv::Mat& labels) const;
  cv::Mat apply_per_class(const sectile::Sample& sample) const;
  void apply_to_segments(sectile::Sample& sample) const;

  sectile::LabelMap labels_;
  std::vector<int> numbers_;        // by old number; kIgnore: none
  std::vector<bool> was_thing_;     // by old number
  std::set<int> becomes_stuff_;     // new numbers
  std::vector<std::string> taken_;  // by old number: the option that names it; empty: none yet
};

}  // namespace remap
