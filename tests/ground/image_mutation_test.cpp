// Foreign bytes: whatever a file holds, it is an image or a DataError, soon, and with no more memory than it deserves.
// SECTILE_MUTATIONS: how many files per format; unset, 300.
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>

#include <sectile/data/image_io.h>
#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "allocation_peak.h"
#include "support/png_checksums.h"
#include "support/test.h"

namespace fs = std::filesystem;

namespace {

double seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }  // of work: a busy machine is no fault

struct Format {
  std::string name;
  std::vector<const char*> suffixes;
  // Memory at most: kSpare, this many times the file (how far its compression goes, in working memory), and kImages
  // times the image that the header states.
  std::size_t per_byte;
};
const Format kFormats[] = {{"PNG", {".png"}, 2100},  {"JPEG", {".jpg"}, 1100},
                           {"TIFF", {".tif"}, 4200}, {"WebP", {".webp"}, 8},
                           {"BMP", {".bmp"}, 8},     {"PNM", {".pbm", ".pgm", ".ppm", ".pam"}, 8}};
constexpr std::size_t kSpare = 3u << 20, kImages = 6;
constexpr double kLongest = 1;  // seconds

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string bytes = any(seeds_);
    for (std::size_t times = 1 + below(4); times > 0; --times) change(bytes);
    if (below(4)) sectile::test::seal_png(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t count) { return count ? random_() % count : 0; }
  const std::string& any(const std::vector<std::string>& all) { return all[below(all.size())]; }
  // Half of the time among the first bytes, where headers are.
  std::size_t place(const std::string& bytes) {
    return below(2) ? below(bytes.size()) : below(std::min<std::size_t>(bytes.size(), 64));
  }

  void change(std::string& bytes) {
    if (bytes.empty()) bytes = any(seeds_);
    const std::size_t at = place(bytes);
    switch (below(8)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
        return;
      case 1:
        bytes[at] = static_cast<char>(random_());
        return;
      case 2:
        bytes[at] = "\0\1\x7f\x80\xff"[below(5)];
        return;
      case 3:
        bytes.resize(at);
        return;
      case 4:
        bytes.insert(at, std::string(1 + below(20), static_cast<char>(random_())));
        return;
      case 5:
        bytes.erase(at, 1 + below(20));
        return;
      case 6: {
        const std::string& other = any(seeds_);
        bytes = bytes.substr(0, at) + other.substr(place(other));
        return;
      }
      default:
        attack_length(bytes, at);
    }
  }

  // A number of 2, 4 or 8 bytes, in either order.
  void attack_length(std::string& bytes, std::size_t at) {
    const std::uint64_t numbers[] = {0,
                                     1,
                                     0x7fff,
                                     0xffff,
                                     0x10000,
                                     0x7fffffff,
                                     0xffffffff,
                                     ~std::uint64_t{0},
                                     bytes.size(),
                                     bytes.size() - 1,
                                     below(bytes.size()),
                                     random_() >> below(64)};
    const std::uint64_t number = numbers[below(std::size(numbers))];
    const std::size_t count = std::size_t{2} << below(3);
    const bool big_endian = below(2);
    for (std::size_t i = 0; i < count && at + i < bytes.size(); ++i)
      bytes[at + i] = static_cast<char>(number >> 8 * (big_endian ? count - 1 - i : i));
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_{1};
};

std::vector<std::string> seeds_of(const Format& format) {
  std::vector<fs::path> files;
  for (const char* folder : {"formats", "images"})
    for (const auto& entry : fs::directory_iterator(fs::path(SECTILE_SOURCE_DIR "/tests/ground") / folder))
      if (std::count(format.suffixes.begin(), format.suffixes.end(), entry.path().extension()))
        files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return seeds;
}

// The memory that a page's header deserves; nothing when the file has no header.
std::size_t stated_bytes(const fs::path& file) {
  try {
    const auto info = sectile::read_info(file);
    return static_cast<std::size_t>(info.size.area()) *
           cv::Mat(1, 1, CV_MAKETYPE(info.depth, info.channels)).elemSize();
  } catch (const sectile::DataError&) {
    return 0;
  }
}

struct Outcome {
  bool image = false;
  std::string surprise{};
};

template <typename Read>
Outcome outcome_of(const Read& read) {
  try {
    return {read()};
  } catch (const sectile::DataError&) {
    return {};
  } catch (const std::exception& error) {
    return {false, error.what()};
  }
}

struct Tally {
  std::size_t images = 0, wrong = 0, most_bytes = 0;
  double longest = 0, all = 0;
};

void try_file(const Format& format, const fs::path& file, const std::string& bytes, Tally& tally) {
  const double start = seconds();
  const AllocationPeak peak;
  const std::size_t stated = stated_bytes(file);
  std::string surprise;
  for (int page = 0; page < 2; ++page) {
    const auto outcome = outcome_of([&] { return !sectile::read_raw_image(file, {.page = page}).pixels.empty(); });
    tally.images += outcome.image && page == 0;
    surprise += outcome.surprise;
  }
  surprise += outcome_of([&] { return !sectile::read_image(file).empty(); }).surprise;
  const double taken = seconds() - start;
  const std::size_t most = kSpare + format.per_byte * bytes.size() + kImages * stated;
  tally.longest = std::max(tally.longest, taken);
  tally.most_bytes = std::max(tally.most_bytes, peak.bytes());
  if (surprise.empty() && taken < kLongest && peak.bytes() <= most) return;
  ++tally.wrong;
  const fs::path kept = file.string() + "-" + std::to_string(tally.wrong);
  fs::copy_file(file, kept, fs::copy_options::overwrite_existing);
  CAPTURE(surprise);
  CAPTURE(stated);
  CAPTURE(most);
  CAPTURE(peak.bytes());
  CAPTURE(taken);
  FAIL_CHECK(kept.string());
}

}  // namespace

TEST_CASE("a damaged file of any format is an image or a DataError, soon and in little memory") {
  const char* wanted = std::getenv("SECTILE_MUTATIONS");
  const int count = wanted ? std::atoi(wanted) : 300;
  const fs::path file = fs::temp_directory_path() / ("sectile_mutation_" + std::to_string(getpid()));
  for (const Format& format : kFormats) {
    CAPTURE(format.name);
    Mutator mutator(seeds_of(format));
    Tally tally;
    const double start = seconds();
    for (int i = 0; i < count && tally.wrong < 5; ++i) {
      const std::string bytes = mutator.next();
      std::ofstream(file, std::ios::binary) << bytes;
      try_file(format, file, bytes, tally);
    }
    tally.all = seconds() - start;
    CHECK(tally.images > 0);
    CHECK(tally.images < static_cast<std::size_t>(count));
    if (wanted)
      MESSAGE(format.name, ": ", count, " files, ", tally.images, " images, longest ", tally.longest, " s, all ",
              tally.all, " s, most memory ", tally.most_bytes, " bytes");
  }
  fs::remove(file);
}
