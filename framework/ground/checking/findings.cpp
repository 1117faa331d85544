#include "findings.h"

#include <array>
#include <iterator>

namespace sectile {
namespace {

struct Text {
  const char* name;
  const char* text;
};
constexpr Text kTexts[] = {
    {"split_unreadable", "the dataset of a split cannot be opened"},
    {"classes_differ", "a split has other classes than the one before"},
    {"left_out", "annotations that the dataset leaves out, as they are wrong"},
    {"image_unreadable", "the image is missing, damaged or cannot be used"},
    {"labels_unreadable", "labels are missing, damaged, or have values of no class"},
    {"objects_unreadable", "objects or segments are missing or damaged"},
    {"sample_unreadable", "image and annotation can be read, but not together"},
    {"no_image", "the image has no pixels"},
    {"not_finite", "pixels are NaN or infinite"},
    {"size_differs", "annotation is of another size than the image"},
    {"wrong_type", "labels or segment ids are of another type than expected"},
    {"unknown_class", "a class number that does not exist"},
    {"unlabeled", "no labels, in a split whose other samples have them"},
    {"box_not_finite", "a box with NaN or infinite numbers"},
    {"box_empty", "a box without width or height"},
    {"box_outside", "a box reaches more than a pixel out of the image"},
    {"mask_invalid", "run lengths or polygons that are damaged"},
    {"mask_empty", "the mask of an object covers no pixel"},
    {"mask_outside", "a polygon reaches more than a pixel out of the image"},
    {"mask_not_in_box", "less than half of the mask's extent lies in the object's box"},
    {"area_invalid", "a stated area that is negative, NaN, infinite or larger than the image"},
    {"object_twice", "two objects of a sample have the same class, box and mask"},
    {"object_id_twice", "two objects of a sample have the same id"},
    {"segment_absent", "a segment is listed, and has no pixel"},
    {"segment_unlisted", "pixels of a segment that is not listed"},
    {"segment_twice", "a segment is listed twice"},
    {"id_twice", "two different samples of a split have the same id"},
    {"image_twice", "two samples of a split have the same image"},
    {"image_in_two_splits", "the same image in two splits"},
    {"other_channels", "the image has other channels than most"},
    {"other_depth", "the image has another type of pixels than most"},
    {"dataset_note", "what the dataset itself tells"},
    {"gray_and_color", "grayscale among RGB images, or the reverse; converted when they are used"},
    {"sample_repeated", "the same sample several times in a split"},
    {"id_in_two_splits", "the same id in two splits, of different images"},
    {"constant_image", "all pixels of the image are equal"},
    {"all_ignored", "all pixels are ignored"},
    {"no_annotation", "no annotation at all"},
    {"one_pixel", "an object or segment of a single pixel"},
    {"class_not_in_train", "a class that occurs, but not in train"},
    {"class_nowhere", "a class that never occurs"},
};
static_assert(std::size(kTexts) == kFindings);

}  // namespace

std::string name_of(Finding finding) { return kTexts[static_cast<std::size_t>(finding)].name; }
std::string text_of(Finding finding) { return kTexts[static_cast<std::size_t>(finding)].text; }

}  // namespace sectile
