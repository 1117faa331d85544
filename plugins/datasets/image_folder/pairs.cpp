#include "pairs.h"

#include <algorithm>
#include <map>

#include <sectile/data/image_io.h>
#include <sectile/data/list_file.h>
#include <sectile/error.h>

#include "files.h"
#include "masks.h"
#include "pages.h"
#include "pattern.h"

namespace image_folder {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::OptionError;

constexpr const char* kImages = "images";  // the folder, where the option is left out

bool is_pattern(const std::optional<std::string>& text) { return text && Pattern::is_pattern(*text); }

fs::path folder_of(const PairOptions& options, const std::string& below) {
  const auto folder = options.root / below / "";
  std::error_code unknown;
  // ".." behind a link leads out of the folder that the link leads to.
  const auto real = below.find("..") == std::string::npos ? folder : fs::weakly_canonical(folder, unknown) / "";
  return (unknown ? folder : real).lexically_normal().parent_path();
}
fs::path image_folder(const PairOptions& options) { return folder_of(options, options.images.value_or(kImages)); }
fs::path mask_folder(const PairOptions& options) { return folder_of(options, options.masks.value_or("")); }
bool in_one_folder(const PairOptions& options) {
  return options.masks && image_folder(options) == mask_folder(options);
}

// The folder or pattern, for messages.
fs::path image_place(const PairOptions& options) {
  return (options.root / options.images.value_or(kImages)).lexically_normal();
}

// What skip and limit leave of the pages of `count` files, each given by `make`. No file behind the last is looked at.
template <class Make>
std::vector<Entry> chosen_pages(std::size_t count, const Make& make, const PairOptions& options,
                                const fs::path& place) {
  const auto skip = static_cast<std::size_t>(options.skip);
  const auto most = options.limit ? skip + static_cast<std::size_t>(*options.limit) : std::size_t(-1);
  std::vector<Entry> all;
  for (std::size_t file = 0; file < count && all.size() < most; ++file) {
    Entry entry = make(file);
    entry.file = file;
    add_pages(entry, all);
  }
  if (skip >= all.size())
    throw OptionError("skip", "leaves out " + std::to_string(options.skip) + " images, and " + place.string() +
                                  " holds " + std::to_string(all.size()));
  all.resize(std::min(all.size(), most));
  all.erase(all.begin(), all.begin() + options.skip);
  return all;
}

// The name without the suffix that is asked for, or without any image's; "" where it has another.
std::string stem(const std::string& name, const std::optional<std::string>& suffix) {
  const auto ending = suffix ? *suffix : image_suffix(name);
  if (ending.empty() || !ends_with(name, ending) || ends_with(name, "/" + ending)) return "";
  return name.substr(0, name.size() - ending.size());
}

// option: what chose the files.
[[noreturn]] void tell_no_image(const char* option, const fs::path& place, const std::vector<std::string>& names,
                                const std::string& wanted) {
  throw OptionError(option,
                    place.string() + " has no image: " + wanted +
                        (names.empty() ? "; there is not a file at all" : "; there are " + counted_suffixes(names)));
}

// names: of the images' files, without suffix.
void find_masks(const PairOptions& options, const std::vector<std::string>& names, std::vector<Entry>& entries) {
  if (!options.masks) return;
  check_folder(mask_folder(options), "masks");
  Masks masks(mask_folder(options), options.mask_suffix);
  if (!options.mask_suffix) masks.look_for_any_suffix(in_one_folder(options) ? options.image_suffix : std::nullopt);
  for (auto& entry : entries) entry.mask = masks.find(names[entry.file]);
  masks.demand_all(image_folder(options), "mask_suffix");
}

// A name that also ends with the suffix of the images themselves.
bool is_band(const PairOptions& options, const std::string& name) {
  return std::any_of(options.band_suffixes.begin(), options.band_suffixes.end(), [&](const std::string& suffix) {
    return suffix.size() > options.image_suffix->size() && ends_with(name, suffix);
  });
}

void find_bands(const PairOptions& options, std::vector<Entry>& entries) {
  for (auto& entry : entries)
    for (const auto& suffix : options.band_suffixes) {
      const auto image = entry.image.string();
      const fs::path band = image.substr(0, image.size() - options.image_suffix->size()) + suffix;
      if (!is_file(band))
        throw DataError(entry.image.string(),
                        "has no file " + band.filename().string() + " beside it, which \"band_suffixes\" asks for");
      entry.bands.push_back(band);
    }
}

// Every image of the folder, by its name without suffix.
Stems images_in(const PairOptions& options, std::vector<std::string>& found, std::vector<std::string>& notes) {
  const auto folder = image_folder(options);
  const auto names = files_below(folder, options.masks ? mask_folder(options) : fs::path());
  const auto is_other = [&](const std::string& name) {
    if (is_band(options, name)) return true;
    return in_one_folder(options) && options.mask_suffix && ends_with(name, *options.mask_suffix) &&
           options.mask_suffix->size() > options.image_suffix.value_or("").size();
  };
  Stems stems(folder);
  std::vector<std::string> others;
  for (const auto& name : names) {
    const auto its = stem(name, options.image_suffix);
    if (its.empty()) others.push_back(name);
    if (its.empty() || is_other(name)) continue;
    stems.add(its, name.substr(its.size()));
    found.push_back(its);
  }
  if (found.empty())
    tell_no_image(options.image_suffix ? "image_suffix" : "images", folder, names,
                  options.image_suffix ? "no file name there ends with \"" + *options.image_suffix + "\""
                                       : "no file there has the suffix of a format that can be read");
  if (!others.empty() && !options.image_suffix)
    notes.push_back(folder.string() +
                    ": files of formats that cannot be read are left out: " + counted_suffixes(others));
  std::sort(found.begin(), found.end(), natural_less);
  return stems;
}

std::vector<Entry> by_folder(const PairOptions& options, std::vector<std::string>& notes) {
  check_folder(image_folder(options), "images");
  std::vector<std::string> names;
  const auto images = images_in(options, names, notes);
  auto entries = chosen_pages(
      names.size(),
      [&](std::size_t i) {
        return Entry{names[i], images.find(names[i])};
      },
      options, image_folder(options));
  find_masks(options, names, entries);
  return entries;
}

struct Match {
  std::string name;  // below the folder, without suffix
  std::vector<std::string> stars;
};

// The images that a pattern names, by their names without suffix.
Stems matching_images(const Pattern& pattern, const fs::path& folder, std::vector<Match>& matches) {
  const bool with_suffix = !image_suffix(pattern.text()).empty();
  const auto names = files_below(folder);
  Stems stems(folder);
  for (const auto& name : names) {
    const auto its = stem(name, std::nullopt);
    if (its.empty()) continue;
    const auto stars = pattern.match(pattern.folder() + (with_suffix ? name : its));
    if (!stars) continue;
    stems.add(its, name.substr(its.size()));
    matches.push_back({its, *stars});
  }
  if (matches.empty()) tell_no_image("images", folder, names, "no file name matches \"" + pattern.text() + "\"");
  std::sort(matches.begin(), matches.end(),
            [](const Match& a, const Match& b) { return natural_less(a.name, b.name); });
  return stems;
}

void find_masks_by_pattern(const PairOptions& options, const std::vector<Match>& matches, std::vector<Entry>& entries) {
  const Pattern pattern(*options.masks);
  const auto folder = folder_of(options, pattern.folder());
  check_folder(folder, "masks");
  const bool with_suffix = !image_suffix(pattern.text()).empty();
  Masks masks(folder, with_suffix ? std::optional<std::string>("") : std::nullopt);
  if (!with_suffix) masks.look_for_any_suffix(std::nullopt);
  for (auto& entry : entries)
    entry.mask = masks.find(pattern.filled(matches[entry.file].stars).substr(pattern.folder().size()));
  masks.demand_all(image_place(options), "masks");
}

std::vector<Entry> by_pattern(const PairOptions& options) {
  const Pattern pattern(*options.images);
  const auto folder = folder_of(options, pattern.folder());
  check_folder(folder, "images");
  std::vector<Match> matches;
  const auto images = matching_images(pattern, folder, matches);
  auto entries = chosen_pages(
      matches.size(),
      [&](std::size_t i) {
        return Entry{matches[i].name, images.find(matches[i].name)};
      },
      options, image_place(options));
  if (options.masks) find_masks_by_pattern(options, matches, entries);
  return entries;
}

// "/train/a.png" in a list is meant to be below the root, unless there is such a file at all.
fs::path listed_file(const PairOptions& options, const std::string& word, const std::string& place) {
  const auto below = options.root / fs::path(word).relative_path();
  if (is_file(below)) return below;
  if (fs::path(word).is_absolute() && is_file(word)) return word;
  throw DataError(place, "names \"" + word + "\", and there is not a file " + below.string());
}

Entry listed_pair(const PairOptions& options, const std::vector<std::string>& words, const std::string& place) {
  auto name = fs::path(words[0]).relative_path().generic_string();
  name.erase(name.size() - image_suffix(name).size());
  return {name, listed_file(options, words[0], place), listed_file(options, words[1], place)};
}

Entry listed_name(const PairOptions& options, const Stems& images, const std::string& word, const std::string& place) {
  const auto folder = image_folder(options);
  if (const auto its = stem(word, options.image_suffix); !its.empty() && is_file(folder / word))
    return {its, folder / word};
  if (const auto file = images.find(word); !file.empty()) return {word, file};
  throw DataError(place, "names \"" + word + "\", and there is no such image in " + folder.string() +
                             (options.image_suffix ? "; \"image_suffix\" is \"" + *options.image_suffix + "\"" : ""));
}

// Whether a line of several words is the name of one image, with or without its suffix.
bool is_name(const PairOptions& options, const std::string& line) {
  const auto file = image_folder(options) / line;
  const auto& known = sectile::image_suffixes();
  const auto suffixes = options.image_suffix ? std::vector<std::string>{*options.image_suffix} : known;
  return is_file(file) || std::any_of(suffixes.begin(), suffixes.end(),
                                      [&](const auto& suffix) { return is_file(fs::path(file) += suffix); });
}

void check_lines(const PairOptions& options, const std::vector<sectile::ListLine>& lines) {
  const auto words = lines.front().words.size();
  for (const auto& line : lines) {
    const auto place = sectile::list_place(options.list, line);
    if (line.words.size() > 2)
      throw DataError(place, "has " + std::to_string(line.words.size()) +
                                 " words; expected a name, or an image and its mask (names with blanks: put a tab "
                                 "behind the first)");
    if (line.words.size() != words)
      throw DataError(place, "has " + std::to_string(line.words.size()) + " words, and line " +
                                 std::to_string(lines.front().number) + " has " + std::to_string(words) +
                                 ": name the mask everywhere or nowhere");
  }
  if (words == 1) return;
  for (const auto& [name, given] : {std::pair("images", options.images.has_value()),
                                    {"masks", options.masks.has_value()},
                                    {"band_suffixes", !options.band_suffixes.empty()},
                                    {"image_suffix", options.image_suffix.has_value()},
                                    {"mask_suffix", options.mask_suffix.has_value()}})
    if (given)
      throw OptionError(name, "cannot be combined with a list that names both files of each pair, " +
                                  options.list.string() + ": remove it");
}

std::vector<Entry> by_list(const PairOptions& options) {
  auto lines = sectile::read_list(options.list);
  for (auto& line : lines)
    if (line.words.size() > 1 && is_name(options, line.text)) line.words = {line.text};
  check_lines(options, lines);
  const bool pairs = lines.front().words.size() == 2;
  Stems images({});
  if (!pairs) {
    check_folder(image_folder(options), "images");
    std::vector<std::string> names, notes;  // the list says which files count
    images = images_in(options, names, notes);
  }
  std::vector<std::string> names(lines.size());
  std::map<std::string, int> seen;
  const auto make = [&](std::size_t i) {
    const auto place = sectile::list_place(options.list, lines[i]);
    const auto entry =
        pairs ? listed_pair(options, lines[i].words, place) : listed_name(options, images, lines[i].words[0], place);
    const auto [earlier, is_new] = seen.emplace(entry.name, lines[i].number);
    if (!is_new)
      throw DataError(place, "names \"" + earlier->first + "\", as line " + std::to_string(earlier->second) + " does");
    names[i] = entry.name;
    return entry;
  };
  auto entries = chosen_pages(lines.size(), make, options, options.list);
  if (!pairs) find_masks(options, names, entries);
  return entries;
}

}  // namespace

void PairOptions::declare(sectile::Options& options) {
  options.add("root", &root, "Dataset folder.").required().not_empty();
  options.add(
      "images", &images,
      "Image folder below root, searched recursively; names that begin with a dot do not count. Or a pattern of file "
      "names below root, such as "
      "\"train/*/*_photo.png\": * matches any text within a name, \"**/\" any folders; without a suffix, all image "
      "formats match. Each page of a TIFF is an image; its mask must have as many pages. Default: \"images\".");
  options.add("masks", &masks,
              "Mask folder below root; or a pattern, whose stars are filled with what the stars of images matched, in "
              "order. Default: unlabelled images, or masks named by the list.");
  options
      .add("image_suffix", &image_suffix,
           "Suffix of image file names, in upper or lower case. The part before it is the sample's name and pairs it "
           "with its mask. Default: the usual suffixes of all image formats.")
      .not_empty();
  options
      .add("mask_suffix", &mask_suffix,
           "Suffix of mask file names, in upper or lower case, such as \"_mask.png\" for the mask cat_mask.png of "
           "cat.png. Default: the image's name, with the suffix of any image format.")
      .not_empty();
  options.add(
      "band_suffixes", &band_suffixes,
      "Suffixes of further files with more channels of the same image, such as [\"_nir.png\"] for the band "
      "a_nir.png of a_rgb.png; needs image_suffix, and images named by a folder or by a list of names. Their channels "
      "follow those of the image, in this order; every channel is read, also one that a file declares as alpha. All "
      "files of an image have the same size, type and number of pages.");
  options.add("list", &list,
              "Text file with the samples, in order. Each line is a name (a file in images, with or without suffix), "
              "or an image and its mask, both relative to root, separated by blanks or, if names contain blanks, by a "
              "tab. Lines starting with # are ignored.");
  options
      .add("skip", &skip,
           "Number of images to skip at the start, in name order (2 before 10) or list order; each page of a TIFF is "
           "an image.")
      .at_least(0);
  options.add("limit", &limit, "Maximum number of images, after skip. Default: all.").at_least(1);
}

void PairOptions::check(sectile::Problems& problems) const {
  const bool pattern = is_pattern(images);
  if (pattern != is_pattern(masks) && (pattern ? masks.has_value() : true))
    problems.add("masks", std::string("must have stars where images has, and is ") +
                              (pattern ? "a folder" : "a pattern beside a folder"));
  if (pattern || is_pattern(masks)) {
    for (const auto& [name, text] : {std::pair("images", images), {"masks", masks}})
      if (const auto problem = Pattern(text.value_or("")).problem(); !problem.empty()) problems.add(name, problem);
    if (!list.empty()) problems.add("list", "cannot be combined with a pattern");
    for (const auto& [name, suffix] : {std::pair("image_suffix", image_suffix), {"mask_suffix", mask_suffix}})
      if (suffix) problems.add(name, "cannot be combined with a pattern, which already ends in a suffix");
  }
  if (pattern && is_pattern(masks) && Pattern(*images).stars() != Pattern(*masks).stars())
    problems.add("masks", "has the stars " + Pattern(*masks).stars() + ", and images has " + Pattern(*images).stars() +
                              ": each must have its counterpart");
  for (const auto& suffix : band_suffixes)
    if (suffix.empty()) problems.add("band_suffixes", "has an empty suffix, which names no other file");
  if (!band_suffixes.empty() && pattern)
    problems.add("band_suffixes", "cannot be combined with a pattern: name the images by a folder and image_suffix");
  if (!band_suffixes.empty() && !image_suffix && !pattern)
    problems.add("band_suffixes", "needs \"image_suffix\", which they take the place of");
  if (!pattern && in_one_folder(*this) && !image_suffix && !mask_suffix)
    problems.add("mask_suffix", "is missing: images and masks are in one folder, and need different suffixes");
}

std::vector<Entry> find_entries(const PairOptions& options, std::vector<std::string>& notes) {
  check_folder(options.root, "root");
  auto entries = !options.list.empty()        ? by_list(options)
                 : is_pattern(options.images) ? by_pattern(options)
                                              : by_folder(options, notes);
  find_bands(options, entries);
  check_mask_pages(entries);
  return entries;
}

}  // namespace image_folder
