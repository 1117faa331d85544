// The labels of Cityscapes, and what the values of its label files mean.
#pragma once

#include <cstdint>
#include <vector>

#include <sectile/context.h>
#include <opencv2/core/mat.hpp>

namespace cityscapes {

enum class Labels { train_ids, all };

// What the pixels of a file are.
enum class Encoding {
  label_ids,     // 0 to 33
  train_ids,     // 0 to 18, of the classes that count in the benchmark
  instance_ids,  // a label id, or 1000 times it plus the number of an object
};

sectile::LabelMap label_map(Labels labels);

// Meaning of the values of files of one encoding, for one set of classes.
class Codes {
 public:
  Codes(Labels labels, Encoding encoding);

  struct Code {
    bool known = false;
    std::int16_t number = -1;  // of the class, or kIgnore
    bool crowd = false;        // of instance_ids: several things that nobody took apart
    std::int32_t segment = 0;  // of instance_ids: that of the panoptic format, 0: none
  };
  const Code& of(int value) const { return codes_[static_cast<std::size_t>(value)]; }
  const std::string& known_values() const { return known_values_; }  // for messages

 private:
  std::vector<Code> codes_;  // by value, of 16 bits
  std::string known_values_;
};

}  // namespace cityscapes
