// Files that are given as weights and were not written by torch.save, or by one before PyTorch 1.6.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <sectile/error.h>

#include "torch_file.h"

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
      {0, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19."s, "is a torch.save file from before PyTorch 1.6" + convert},
      {257, "ustar", "is a tar archive, as torch.save wrote in its first versions" + convert},
      {0, "\x80", "is a Python pickle, and not a file of torch.save"},
      {0, "\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras and MATLAB write; convert it to a file of torch.save"},
      {0, "\x1f\x8b", "is a gzip archive; unpack it first"},
      {0, "version https://git-lfs", "is a Git LFS pointer, and not the file itself; get it with git lfs pull"},
      {0, "<", "is an HTML or XML file: was it downloaded from a page that needs a login?"},
      {0, "{", "is a JSON file; weights are read from files of torch.save"}};
  return all;
}

// Its length in 8 bytes, then a JSON object.
bool is_safetensors(const std::string& begin, std::uintmax_t size) {
  std::uint64_t length = 0;
  if (begin.size() < sizeof length + 1) return false;
  std::memcpy(&length, begin.data(), sizeof length);
  return begin[sizeof length] == '{' && length < size;
}

// A protocol buffer of ir_version, then producer_name or one of the fields after it.
bool is_onnx(const fs::path& file, const std::string& begin) {
  return file.extension() == ".onnx" ||
         (begin.size() > 2 && begin[0] == 8 && begin[1] > 0 && begin[1] < 32 && (begin[2] == 0x12 || begin[2] == 0x3a));
}

}  // namespace

void refuse_other_formats(const fs::path& file) {
  std::error_code unknown;
  if (!fs::is_regular_file(file, unknown)) throw DataError(file, "is not a file");
  std::string begin(kShown, '\0');
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError(file, "cannot be read: " + std::string(std::strerror(errno)));
  in.read(begin.data(), kShown);
  begin.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (begin.empty()) throw DataError(file, "is empty");
  if (begin.starts_with("PK\3\4")) return;
  if (is_safetensors(begin, fs::file_size(file)))
    throw DataError(file,
                    "is a safetensors file; convert it in Python: "
                    R"(torch.save(safetensors.torch.load_file("old.safetensors"), "new.pth"))");
  if (is_onnx(file, begin)) throw DataError(file, "is an ONNX model; weights are read from files of torch.save");
  for (const auto& [at, bytes, what] : formats())
    if (begin.size() >= at + bytes.size() && begin.compare(at, bytes.size(), bytes) == 0) throw DataError(file, what);
  throw DataError(file, "is neither a file of torch.save nor a JSON file");
}

}  // namespace sectile
