// What transforms that put two samples into one have in common.
#pragma once

#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/transform.h>

namespace sectile {

// A number from 0 to 1 of the beta distribution. a, b: above 0.
SECTILE_EXPORT double beta_distributed(Random& random, double a, double b);

// Throws DataError unless pixels, labels and targets of the two have the same types and dimensions, and both are
// normalized alike or not at all. One may have class numbers and the other labels per class. transform: who asks.
SECTILE_EXPORT void demand_alike(const Sample& sample, const Sample& other, const char* transform);

// Class numbers, 16S, as labels per class, 32F: 1 in the pixel's class, 0 in others, kIgnore in all where it is
// ignored. classes: their number. id: the sample's, for messages. Throws DataError for other numbers.
SECTILE_EXPORT cv::Mat labels_per_class(const cv::Mat& labels, int classes, const std::string& id);

// Where some of these labels are class numbers and others labels per class, as mixup makes them, all become the latter.
// id: a sample's, for messages.
SECTILE_EXPORT void give_one_form(const std::vector<cv::Mat*>& labels, const std::string& id);

// Objects and segments of `other` get new ids where `sample` has theirs. 0 stays: it is no id.
SECTILE_EXPORT void make_ids_unique(const Sample& sample, Sample& other);

// Another sample that fits this one: alike, resized to its size, with ids that it does not have. transform: who asks.
SECTILE_EXPORT Sample mixing_partner(const Sample& sample, Draw& draw, const char* transform);

// Removes the hidden pixels from masks, and makes boxes anew. Objects that are completely hidden are removed, and those
// that lose pixels have no stated area. Of an object without a mask, all pixels of its box count. hidden: 8U, 0 or not.
SECTILE_EXPORT void hide(const cv::Mat& hidden, std::vector<Instance>& instances);

// Removes segments that have no pixel.
SECTILE_EXPORT void remove_invisible_segments(Sample& sample);

// Shows `other` where `where` (8U, of the sample's size) is not 0: its pixels, labels, targets, segments and tags. What
// it does not have is ignored there, void, or 0 in targets of 32F. Both get one form of labels. Objects of `sample` are
// hidden there; those of `other` are left to the caller.
SECTILE_EXPORT void show(const Sample& other, const cv::Mat& where, Sample& sample);

}  // namespace sectile
