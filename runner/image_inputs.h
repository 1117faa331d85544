// Which images predict was asked for, and what the predictions of each are called.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../framework/upper/inference/predictor.h"

namespace sectile {

struct ImageInput {
  ImageSource source;
  std::filesystem::path name;  // of what is written, without suffix: "street", "stack_p0001", "town/street"
};

struct InputRequest {
  std::vector<std::string> inputs;  // files, folders, patterns of names
  std::filesystem::path list{};     // a text file of further inputs, one per line; empty: none
  bool recursive = false;           // folders in folders too; their names stay in those of the predictions
  std::filesystem::path output;     // of predictions; not searched for images when it lies in a folder that is
};

// In the order of the request; in a folder, by name; what is named twice, once. A file of several pages is as many
// inputs. Throws DataError naming what is not there.
std::vector<ImageInput> find_images(const InputRequest& request);

// Throws DataError where two predictions would be written to one file, or one over an image that is read. endings: of
// what is written for each image, such as "_overlay.png".
void refuse_clashes(const std::vector<ImageInput>& images, const std::vector<std::string>& endings,
                    const std::filesystem::path& output);

}  // namespace sectile
