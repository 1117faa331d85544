// Results of detectors are large: they are read in parts, side by side, and of a part only the texts of masks are kept.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>

#include <sectile/error.h>

#include "average_precision.h"
#include "coco_entries.h"

namespace sectile {
namespace {

// TextStore that stay where they are.
class TextStore {
 public:
  std::string_view keep(std::string_view text) {
    if (text.empty()) return {};
    if (text.size() > left_) {
      left_ = std::max(kBlock, text.size());
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
      at_ = blocks_.back().get();
    }
    std::memcpy(at_, text.data(), text.size());
    const std::string_view kept(at_, text.size());
    at_ += text.size();
    left_ -= text.size();
    return kept;
  }

 private:
  static constexpr std::size_t kBlock = std::size_t{1} << 20;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  std::size_t left_ = 0;
};

// Entries that follow each other in the file.
struct Part {
  std::vector<CocoAnnotation> all{};
  std::map<std::int64_t, std::size_t> unlisted{};  // results of each category id that is not listed
};

// Looks up images and categories, and keeps what the text of the file holds.
Part part_of(const std::filesystem::path& file, Entries entries, const CocoFile& truth, bool masks, TextStore& texts) {
  Part part;
  if (!entries.faults.empty()) fail(file, {"", entries.faults.begin()->first}, entries.faults.begin()->second);
  for (std::size_t i = 0; i < entries.all.size(); ++i) {
    auto& result = entries.all[i];
    if (std::isnan(result.score)) fail(file, {"", i}, "has no score");
    result.image = truth.image_of(entries.image_ids[i]);
    if (result.image < 0)
      fail(file, {"", i},
           "is of the image " + std::to_string(entries.image_ids[i]) + ", which is not listed in " +
               truth.file().string());
    result.category = truth.category_of(entries.category_ids[i]);
    if (result.category < 0) {
      ++part.unlisted[entries.category_ids[i]];
      result.image = -1;
    } else if (masks || !result.has_box) {
      result.mask.json = texts.keep(result.mask.json);
    } else {
      result.mask = {};
    }
  }
  part.all = std::move(entries.all);
  return part;
}

// Parts of a list of objects. The text is cut at "}, {", wherever that is: within a string or a list of an object it
// leaves a part that is no list of objects, which ends the reading. So parts that can all be read are those of the
// list: the first begins where it begins, and each other where the one before ends.
class PartReader {
 public:
  static constexpr std::size_t kBytes = std::size_t{1} << 18;  // of a part: what a core's cache holds

  explicit PartReader(const std::filesystem::path& file) : file_(file), in_(file, std::ios::binary) {}

  // The entries from the first cut in part `index` to the first one after it. False: they are not to be had so.
  bool read(std::size_t index, std::size_t file_bytes, Entries& entries) {
    const auto first = index * kBytes;
    // A longer entry is for who reads the whole file: each part before its end would look for the end anew.
    for (auto wanted = kBytes + kBytes / 8; wanted < 16 * kBytes; wanted *= 2) {
      const bool to_end = first + wanted >= file_bytes;
      const auto bytes = to_end ? file_bytes - first : wanted;
      if (!load(first, bytes)) return false;
      std::size_t begin = 0, end = bytes;
      if (index > 0) {
        const auto cut = find_cut(0, bytes);
        if (!cut && !to_end) continue;
        if (!cut || cut->close >= kBytes) return true;  // a long entry: nothing begins here
        begin = cut->open - 1;
        text_[begin] = '[';
      }
      if (first + kBytes < file_bytes) {
        const auto cut = find_cut(kBytes, bytes);
        if (!cut && !to_end) continue;
        if (cut) end = cut->close + 2, text_[end - 1] = ']';
      }
      return parse(begin, end, entries);
    }
    return false;
  }

 private:
  struct Cut {
    std::size_t close, open;  // of the brackets
  };

  bool load(std::size_t first, std::size_t bytes) {
    if (text_.size() < bytes + simdjson::SIMDJSON_PADDING) text_.resize(bytes + simdjson::SIMDJSON_PADDING);
    in_.clear();
    in_.seekg(static_cast<std::streamoff>(first));
    return static_cast<bool>(in_.read(text_.data(), static_cast<std::streamsize>(bytes)));
  }

  std::optional<Cut> find_cut(std::size_t from, std::size_t end) const {
    const auto skip_spaces = [&](std::size_t at) {
      while (at < end && std::strchr(" \t\r\n", text_[at]) && text_[at] != '\0') ++at;
      return at;
    };
    const std::string_view text(text_.data(), end);
    for (auto close = text.find('}', from); close != text.npos; close = text.find('}', close + 1)) {
      const auto comma = skip_spaces(close + 1);
      if (comma == end || text[comma] != ',') continue;
      const auto open = skip_spaces(comma + 1);
      if (open < end && text[open] == '{') return Cut{close, open};
    }
    return {};
  }

  bool parse(std::size_t begin, std::size_t end, Entries& entries) {
    // simdjson looks at the bytes behind the end of a text that ends too early.
    std::fill_n(text_.begin() + static_cast<std::ptrdiff_t>(end), simdjson::SIMDJSON_PADDING, ' ');
    const simdjson::padded_string_view text(text_.data() + begin, end - begin, text_.size() - begin);
    simdjson::ondemand::document document;
    if (parser_.iterate(text).get(document)) return false;
    read_entries(file_, "", document.get_value(), entries);
    return document.current_location().error() != simdjson::SUCCESS;  // no text after the end
  }

  const std::filesystem::path& file_;
  std::ifstream in_;
  std::vector<char> text_;
  simdjson::ondemand::parser parser_;
};

}  // namespace

struct CocoResults::Content {
  std::filesystem::path file;
  std::vector<TextStore> texts{};  // of each thread
  ByImage results{};
  std::vector<std::pair<std::int64_t, std::size_t>> unlisted{};

  Content(std::filesystem::path name, const CocoFile& truth, const CocoResultsOptions& options)
      : file(std::move(name)) {
    auto parts = in_parts(truth, options);
    if (parts.empty()) parts.push_back(whole(truth, options));
    std::map<std::int64_t, std::size_t> all_unlisted;
    std::vector<std::vector<CocoAnnotation>> lists;
    for (auto& part : parts) {
      lists.push_back(std::move(part.all));
      for (const auto& [id, count] : part.unlisted) all_unlisted[id] += count;
    }
    results = by_image(lists, truth.images().size());
    unlisted.assign(all_unlisted.begin(), all_unlisted.end());
  }

  // None where something is wrong with one of them.
  std::vector<Part> in_parts(const CocoFile& truth, const CocoResultsOptions& options) {
    const auto bytes = JsonFile::checked_size(file);
    std::vector<Part> parts((bytes + PartReader::kBytes - 1) / PartReader::kBytes);
    const auto threads = std::clamp<std::size_t>(static_cast<std::size_t>(std::max(1, options.threads)), 1,
                                                 std::clamp<std::size_t>(parts.size(), 1, kMostThreads));
    texts.resize(threads);
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> failed = false;
    const auto work = [&](TextStore& kept) {
      try {
        PartReader reader(file);
        for (auto i = next++; i < parts.size() && !failed; i = next++) {
          Entries entries;
          if (reader.read(i, bytes, entries))
            parts[i] = part_of(file, std::move(entries), truth, options.masks, kept);
          else
            failed = true;
        }
      } catch (const std::exception&) {
        failed = true;
      }
    };
    {
      std::vector<std::jthread> others;
      for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work, std::ref(texts[i]));
      work(texts[0]);
    }
    if (failed) parts.clear();
    return parts;
  }

  // Says where what is wrong.
  Part whole(const CocoFile& truth, const CocoResultsOptions& options) {
    const JsonFile json(file);
    Entries entries;
    json.parse([&](simdjson::ondemand::document& document) { read_entries(file, "", document.get_value(), entries); });
    texts = std::vector<TextStore>(1);
    return part_of(file, std::move(entries), truth, options.masks, texts[0]);
  }
};

CocoResults::CocoResults(const std::filesystem::path& file, const CocoFile& truth, const CocoResultsOptions& options)
    : content_(std::make_unique<Content>(file, truth, options)) {}
CocoResults::~CocoResults() = default;
CocoResults::CocoResults(CocoResults&&) noexcept = default;
CocoResults& CocoResults::operator=(CocoResults&&) noexcept = default;

const std::filesystem::path& CocoResults::file() const { return content_->file; }
std::span<const CocoAnnotation> CocoResults::all() const { return content_->results.annotations; }
std::span<const CocoAnnotation> CocoResults::of_image(int image) const { return content_->results.of(image); }
const std::vector<std::pair<std::int64_t, std::size_t>>& CocoResults::unlisted_categories() const {
  return content_->unlisted;
}

}  // namespace sectile
