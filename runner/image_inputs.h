// The input images of predict: files or samples of a dataset, and the names of their predictions.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "../framework/upper/inference/predictor.h"

namespace sectile {

struct ImageInput {
  ImageSource source;
  std::filesystem::path name;  // of the predictions, without suffix: "street", "stack_p0001", "town/street"
};

struct InputRequest {
  std::vector<std::string> inputs;  // files, folders, patterns
  std::filesystem::path list{};     // a text file with more inputs, one per line; empty: none
  bool recursive = false;           // search subfolders; predictions keep the folder structure
  std::filesystem::path output;     // of predictions; never searched for images
};

// In the order of the request; in a folder, sorted by name, without names that begin with a dot; without duplicates.
// Each page of a file is an input. Adds a note for the user on each folder of which files of other formats are left
// out. Throws DataError naming missing inputs.
std::vector<ImageInput> find_images(const InputRequest& request, std::vector<std::string>& notes);

// The samples of a dataset, named by their ids without the suffix of an image file: "town/street" for
// "town/street.png". skip_bad: adds to `bad` why a sample has no such name, instead of throwing DataError.
std::vector<ImageInput> find_samples(const std::shared_ptr<const SampleSource>& data, bool skip_bad,
                                     std::vector<std::string>& bad);

// Throws DataError if two predictions would be written to the same file, or one would replace an image or another
// input, or, unless `overwrite`, any file. endings: of the files written per image, such as "_overlay.png".
void refuse_clashes(const std::vector<ImageInput>& images, const std::vector<std::filesystem::path>& other_inputs,
                    const std::vector<std::string>& endings, const std::filesystem::path& output, bool overwrite);

}  // namespace sectile
