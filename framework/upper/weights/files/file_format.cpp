#include "file_format.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <sectile/error.h>

#include "torch/legacy_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

constexpr std::size_t kShown = 512;  // bytes from the beginning, which tell the formats apart

struct Format {
  std::size_t at;
  std::string bytes;
  std::string what;
};

const std::vector<Format>& formats() {
  static const std::string convert =
      R"(; convert it in Python: torch.save(torch.load("old.pth", map_location="cpu"), "new.pth"))";
  static const std::vector<Format> all{
      {257, "ustar", "is a tar archive, as torch.save wrote in its first versions" + convert},
      {0, "\x80", "is a Python pickle, and not a file of torch.save"},
      {0, "\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras and MATLAB write; convert it to a file of torch.save"},
      {0, "\x1f\x8b", "is a gzip archive; unpack it first"},
      {0, "version https://git-lfs", "is a Git LFS pointer, and not the file itself; get it with git lfs pull"},
      {0, "<", "is an HTML or XML file: was it downloaded from a page that needs a login?"}};
  return all;
}

// The length of a JSON object in 8 bytes, of which the last ones are 0, then the object.
bool is_safetensors(const std::string& begin) {
  constexpr std::size_t kLength = 8;
  return begin.size() > kLength && begin[kLength] == '{' && begin[kLength - 1] == 0 && begin[kLength - 2] == 0;
}

// A protocol buffer of ir_version, then producer_name or one of the fields after it.
bool is_onnx(const fs::path& file, const std::string& begin) {
  return file.extension() == ".onnx" ||
         (begin.size() > 2 && begin[0] == 8 && begin[1] > 0 && begin[1] < 32 && (begin[2] == 0x12 || begin[2] == 0x3a));
}

}  // namespace

WeightsFormat format_of(const fs::path& file) {
  std::error_code unknown;
  if (!fs::is_regular_file(file, unknown)) throw DataError(file, "is not a file");
  std::string begin(kShown, '\0');
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError(file, "cannot be read: " + std::string(std::strerror(errno)));
  in.read(begin.data(), kShown);
  begin.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (begin.empty()) throw DataError(file, "is empty");
  if (begin.starts_with("PK\3\4")) return WeightsFormat::zip;
  if (is_legacy(begin)) return WeightsFormat::legacy;
  if (file.extension() == ".safetensors" || is_safetensors(begin)) return WeightsFormat::safetensors;
  if (begin.find_first_not_of(" \t\r\n") < begin.size() && begin[begin.find_first_not_of(" \t\r\n")] == '{')
    return WeightsFormat::index;
  if (is_onnx(file, begin))
    throw DataError(file, "is an ONNX model; weights are read from files of torch.save and safetensors");
  for (const auto& [at, bytes, what] : formats())
    if (begin.size() >= at + bytes.size() && begin.compare(at, bytes.size(), bytes) == 0) throw DataError(file, what);
  throw DataError(file, "is neither a file of weights (torch.save, safetensors) nor a JSON file");
}

}  // namespace sectile
