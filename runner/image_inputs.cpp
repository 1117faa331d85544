#include "image_inputs.h"

#include <glob.h>

#include <algorithm>
#include <map>
#include <new>
#include <set>

#include <sectile/data/image_io.h>
#include <sectile/data/list_file.h>
#include <sectile/error.h>

#include "../framework/ground/component_call.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& file) {
  auto suffix = file.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto& known = image_suffixes();
  return std::find(known.begin(), known.end(), suffix) != known.end();
}

std::string known_suffixes() {
  std::string all;
  for (const auto& suffix : image_suffixes()) all += (all.empty() ? "*" : ", *") + suffix;
  return all;
}

// The path itself for a link that leads nowhere, which reading it reports.
fs::path real_path(const fs::path& file) {
  std::error_code broken_link;
  const auto real = fs::weakly_canonical(file, broken_link);
  return broken_link ? file : real;
}

// Of a sample's predictions, below the output folder.
fs::path name_of(const std::string& id, const std::string& place) {
  const fs::path path(id);
  if (id.find('\0') != std::string::npos || !path.has_filename() || path.filename() == ".")
    throw DataError(place,
                    "has the id \"" + id + "\", which is not the name of a file, and its prediction is named by it");
  if (path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end())
    throw DataError(id,
                    "is the id of a sample, and would name a prediction outside the output folder: ids of samples are "
                    "relative paths without \"..\"");
  return (is_image(path) ? path.parent_path() / path.stem() : path).lexically_normal();
}

// A damaged file counts as one page: reading it reports the error.
int pages_of(const fs::path& file) {
  try {
    return read_info(file).pages;
  } catch (const DataError&) {
    return 1;
  }
}

// Names of the files that match a pattern, sorted. base: a folder that the pattern is relative to, or "".
std::vector<fs::path> matching(const fs::path& base, const std::string& pattern) {
  std::string whole;
  for (const char c : (base / "").string()) {  // characters of the folder are literal
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) whole += '\\';
    whole += c;
  }
  glob_t found{};
  const int failed = glob(((pattern.starts_with('/') ? "" : whole) + pattern).c_str(), 0, nullptr, &found);
  std::vector<fs::path> files;
  if (!failed) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  if (failed == GLOB_NOSPACE) throw std::bad_alloc();
  std::sort(files.begin(), files.end());
  return files;
}

class Finder {
 public:
  Finder(const InputRequest& request, std::vector<std::string>& notes) : recursive_(request.recursive), notes_(notes) {
    remember(request.output);
    for (const auto& input : request.inputs) add({}, input, input);
    if (request.list.empty()) return;
    for (const auto& line : read_list(request.list))
      add(request.list.parent_path(), line.text, list_place(request.list, line) + ": " + line.text);
  }

  std::vector<ImageInput> found;

 private:
  // place: where the input is named, for messages.
  void add(const fs::path& base, const std::string& input, const std::string& place) {
    if (const auto path = base / input; fs::exists(path)) return add_path(path);
    if (input.find_first_of("*?[") == std::string::npos) throw DataError(place, "is not there");
    const auto files = matching(base, input);
    if (files.empty()) throw DataError(place, "matches no file");
    for (const auto& file : files) add_path(file);
  }

  void add_path(const fs::path& path) {
    if (!fs::is_directory(path)) return add_file(path, path.stem());
    const auto before = found.size();
    remember(path);
    add_folder(path, {});
    if (found.size() == before)
      throw DataError(path.string(), "has no images (" + known_suffixes() + ")" +
                                         (recursive_ ? "" : "; folders in it are searched with --recursive"));
  }

  void add_folder(const fs::path& folder, const fs::path& below) {
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(folder))
      if (!entry.path().filename().string().starts_with('.')) entries.push_back(entry.path());
    std::sort(entries.begin(), entries.end());
    std::map<std::string, int> others;  // by suffix
    for (const auto& entry : entries) {
      std::error_code broken_link;
      if (fs::is_directory(entry, broken_link)) {
        if (recursive_ && remember(entry)) add_folder(entry, below / entry.filename());
      } else if (is_image(entry)) {
        add_file(entry, below / entry.stem());
      } else {
        ++others[entry.extension().string()];
      }
    }
    std::string counts;
    for (const auto& [suffix, count] : others)
      counts += (counts.empty() ? "" : ", ") + std::to_string(count) + " of \"" + suffix + "\"";
    if (!counts.empty())
      notes_.push_back(folder.string() + ": files of formats that cannot be read are left out: " + counts);
  }

  void add_file(const fs::path& file, const fs::path& name) {
    if (!named_.emplace(real_path(file), name).second) return;  // for example by a folder and a pattern
    const int pages = pages_of(file);
    for (int page = 0; page < pages; ++page) {
      found.push_back({{file, page, pages}, name});
      if (pages == 1) continue;
      const auto number = std::to_string(page + 1);
      found.back().name += "_p" + std::string(4 - std::min<std::size_t>(number.size(), 4), '0') + number;
    }
  }

  // False for a folder that was already searched, because of cyclic links.
  bool remember(const fs::path& folder) { return walked_.insert(real_path(folder)).second; }

  const bool recursive_;
  std::vector<std::string>& notes_;
  std::set<fs::path> walked_;
  std::set<std::pair<fs::path, fs::path>> named_;
};

}  // namespace

std::vector<ImageInput> find_images(const InputRequest& request, std::vector<std::string>& notes) {
  return Finder(request, notes).found;
}

std::vector<ImageInput> find_samples(const std::shared_ptr<const SampleSource>& data, bool skip_bad,
                                     std::vector<std::string>& bad) {
  std::vector<ImageInput> found;
  for (std::size_t index = 0; index < data->data->size(); ++index) {
    const auto place = "sample " + std::to_string(index);
    const auto reason = reason_to_skip(skip_bad, [&] {
      const auto id = call<DataError>(place_of(data->data), place, [&] { return data->data->id_of(index); });
      const auto name = name_of(id, place);
      found.push_back({{.file = id, .data = data, .index = index}, name});
    });
    if (!reason.empty()) bad.push_back(reason);
  }
  return found;
}

void refuse_clashes(const std::vector<ImageInput>& images, const std::vector<fs::path>& other_inputs,
                    const std::vector<std::string>& endings, const fs::path& output, bool overwrite) {
  std::map<fs::path, const ImageSource*> writers;
  std::set<fs::path> read;
  for (const auto& input : other_inputs) read.insert(real_path(input));
  for (const auto& image : images) {
    if (!image.source.data) read.insert(real_path(image.source.file));
    for (const auto& ending : endings) {
      const auto file = (output / image.name).string() + ending;
      const auto [other, is_new] = writers.emplace(file, &image.source);
      if (!is_new)
        throw DataError(image.source.place(), "and " + other->second->place() + " would both be written to " + file +
                                                  (image.source.data ? "; samples need distinct ids"
                                                                     : "; predict them into different folders"));
    }
  }
  std::vector<std::string> there;
  for (const auto& [file, source] : writers) {
    if (!fs::exists(fs::symlink_status(file))) continue;
    if (read.count(real_path(file))) {
      const bool own = !source->data && real_path(file) == real_path(source->file);
      throw DataError(file.string(), "would be overwritten by " +
                                         (own ? "its own prediction" : "the prediction of " + source->place()) +
                                         "; choose another folder with --output DIR");
    }
    there.push_back(file.string());
  }
  if (there.empty() || overwrite) return;
  const auto more = there.size() - 1;
  throw DataError(there.front(), "exists already" +
                                     (more == 0 ? std::string() : " (and " + std::to_string(more) + " more)") +
                                     "; choose another folder with --output DIR, or replace it with --overwrite");
}

}  // namespace sectile
