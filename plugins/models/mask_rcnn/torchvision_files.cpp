#include "torchvision_files.h"

#include <array>
#include <string>
#include <vector>

#include <ATen/ops/tensor.h>

namespace mask_rcnn {
namespace {

constexpr std::int64_t kRows = 91;  // of torchvision's heads: nothing, and the ids 1 to 90

// COCO's categories: names and ids, of which ten gaps are left out.
struct Category {
  const char* name;
  int id;
};
constexpr std::array<Category, 80> kCoco{{
    {"person", 1},         {"bicycle", 2},       {"car", 3},
    {"motorcycle", 4},     {"airplane", 5},      {"bus", 6},
    {"train", 7},          {"truck", 8},         {"boat", 9},
    {"traffic light", 10}, {"fire hydrant", 11}, {"stop sign", 13},
    {"parking meter", 14}, {"bench", 15},        {"bird", 16},
    {"cat", 17},           {"dog", 18},          {"horse", 19},
    {"sheep", 20},         {"cow", 21},          {"elephant", 22},
    {"bear", 23},          {"zebra", 24},        {"giraffe", 25},
    {"backpack", 27},      {"umbrella", 28},     {"handbag", 31},
    {"tie", 32},           {"suitcase", 33},     {"frisbee", 34},
    {"skis", 35},          {"snowboard", 36},    {"sports ball", 37},
    {"kite", 38},          {"baseball bat", 39}, {"baseball glove", 40},
    {"skateboard", 41},    {"surfboard", 42},    {"tennis racket", 43},
    {"bottle", 44},        {"wine glass", 46},   {"cup", 47},
    {"fork", 48},          {"knife", 49},        {"spoon", 50},
    {"bowl", 51},          {"banana", 52},       {"apple", 53},
    {"sandwich", 54},      {"orange", 55},       {"broccoli", 56},
    {"carrot", 57},        {"hot dog", 58},      {"pizza", 59},
    {"donut", 60},         {"cake", 61},         {"chair", 62},
    {"couch", 63},         {"potted plant", 64}, {"bed", 65},
    {"dining table", 67},  {"toilet", 70},       {"tv", 72},
    {"laptop", 73},        {"mouse", 74},        {"remote", 75},
    {"keyboard", 76},      {"cell phone", 77},   {"microwave", 78},
    {"oven", 79},          {"toaster", 80},      {"sink", 81},
    {"refrigerator", 82},  {"book", 84},         {"clock", 85},
    {"vase", 86},          {"scissors", 87},     {"teddy bear", 88},
    {"hair drier", 89},    {"toothbrush", 90},
}};

bool are_of_coco(const sectile::LabelMap& labels) {
  if (labels.classes.size() != kCoco.size()) return false;
  for (std::size_t i = 0; i < kCoco.size(); ++i)
    if (labels.classes[i].name != kCoco[i].name) return false;
  return true;
}

// The rows of nothing and of the categories that exist; `each`: of how many rows a class has.
void keep_rows(sectile::NamedTensors& file, const std::string& name, std::int64_t each) {
  const auto found = file.tensors().find(name);
  if (found == file.tensors().end() || found->second.dim() == 0 || found->second.size(0) != kRows * each) return;
  std::vector<std::int64_t> rows;
  const auto add = [&](std::int64_t id) {
    for (std::int64_t i = 0; i < each; ++i) rows.push_back(id * each + i);
  };
  add(0);
  for (const auto& category : kCoco) add(category.id);
  found->second = found->second.index_select(0, at::tensor(rows));
}

}  // namespace

sectile::Dialect torchvision_dialect(const sectile::LabelMap& labels) {
  return {"torchvision's files of weights of COCO", [of_coco = are_of_coco(labels)](sectile::NamedTensors& file) {
            for (const char* of : {"weight", "bias"}) {
              for (const char* blocks : {"inner_blocks", "layer_blocks"})
                for (int level = 0; level < 4; ++level) {
                  const auto block = std::string("backbone.fpn.").append(blocks).append(".") + std::to_string(level);
                  file.rename(block + "." + of, block + ".0." + of);
                }
              file.rename(std::string("rpn.head.conv.") + of, std::string("rpn.head.conv.0.0.") + of);
              for (int conv = 0; conv < 4; ++conv)
                file.rename("roi_heads.mask_head.mask_fcn" + std::to_string(conv + 1) + "." + of,
                            "roi_heads.mask_head." + std::to_string(conv) + ".0." + of);
              if (!of_coco) continue;
              keep_rows(file, std::string("roi_heads.box_predictor.cls_score.") + of, 1);
              keep_rows(file, std::string("roi_heads.box_predictor.bbox_pred.") + of, 4);
              keep_rows(file, std::string("roi_heads.mask_predictor.mask_fcn_logits.") + of, 1);
            }
          }};
}

}  // namespace mask_rcnn
