#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <stdexcept>

#include <ATen/ATen.h>

#include <sectile/error.h>

#include "../../framework/ground/weights/weights_cache.h"
#include "../../framework/upper/network/open.h"
#include "../../framework/upper/weights/files/file_format.h"
#include "../../framework/upper/weights/files/mapped_file.h"
#include "../../framework/upper/weights/files/safetensors.h"
#include "../../framework/upper/weights/files/torch/torch_file.h"
#include "../../framework/upper/weights/files/weights_file.h"
#include "../command_line.h"
#include "../printable.h"
#include "upper_commands.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kSummary =
    "Files of weights, of any format that is read: torch.save (also before PyTorch 1.6, and of whole modules),\n"
    "TorchScript, safetensors, an index of several files, and folders of Hugging Face. Nothing in them is executed.\n"
    "FILE may also be the name of published weights, which are downloaded: see weights list.\n\n"
    "  show FILE      list the tensors: names, types and shapes\n"
    "  diff FILE FILE compare two files; the exit code is 1 if they differ\n"
    "  convert FILE   write the tensors to --output, as safetensors (.safetensors) or torch.save (.pth, .pt, .bin);\n"
    "                 with --spec, a checkpoint for predict and evaluate, with the spec's model, transforms and\n"
    "                 classes; SPEC may be the name of published weights too\n"
    "  list [FILTER]  list the names of published weights; more: sectile weights list --help\n"
    "  get NAME       download published weights";

std::string type_name(const at::Tensor& tensor) {
  std::string name = c10::toString(tensor.scalar_type());  // "Float", "BFloat16"
  static const std::vector<std::pair<const char*, const char*>> python{
      {"Float", "float32"}, {"Double", "float64"}, {"Half", "float16"}, {"BFloat16", "bfloat16"}, {"Long", "int64"},
      {"Int", "int32"},     {"Short", "int16"},    {"Char", "int8"},    {"Byte", "uint8"},        {"Bool", "bool"}};
  for (const auto& [ours, theirs] : python)
    if (name == ours) return theirs;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string shape_text(const at::Tensor& tensor) {
  std::string text;
  for (const auto size : tensor.sizes()) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";  // of either sign
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

struct Values {
  double least = NAN, greatest = NAN, sum = 0;
};

Values values_of(const at::Tensor& tensor) {
  Values values;
  if (tensor.numel() > 0) {
    const auto wide = tensor.to(at::kDouble);
    values = {wide.min().item<double>(), wide.max().item<double>(), wide.sum().item<double>()};
  }
  forget_pages(tensor);
  return values;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "\"" : ", \"") + name + "\"";
  return text;
}

// On one line, whatever it holds.
std::string name_text(const std::string& name) {
  std::string text;
  for (const char c : printable(name)) text += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
  return text;
}

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", " : "") + name_text(names[i]);
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

// What of the file is not among its tensors.
std::vector<std::string> left_out(const WeightsContent& read) {
  std::vector<std::string> notes;
  const auto add = [&](const std::string& what, const std::vector<std::string>& names, const std::string& advice = "") {
    if (!names.empty())
      notes.push_back(what + " (" + std::to_string(names.size()) + "): " + first_names(names) + advice);
  };
  add("left out", read.left_out);
  add("not in \"" + name_text(read.key) + "\", and left out", read.elsewhere,
      "; --key NAME takes another dictionary, and --key . takes everything");
  add("not tensors, and left out", read.not_tensors);
  return notes;
}

void show(const std::string& published_or_path, const std::string& key, bool with_values) {
  const auto file = weights_file(published_or_path);
  const auto read = read_weights(file, key);
  std::cout << file.string() << ": " << read.format;
  if (!read.key.empty()) std::cout << ", \"" << name_text(read.key) << "\"";
  std::vector<std::string> others;
  for (const auto& other : read.keys)
    if (other != read.key) others.push_back(other);
  if (!others.empty()) std::cout << "; --key chooses another dictionary: " << name_text(quoted_list(others));
  std::cout << "\n";
  for (const auto& note : left_out(read)) std::cout << note << "\n";
  for (const auto& name : read.not_called) std::cout << "kept as a plain value, and never called: " << name << "\n";
  constexpr std::size_t kWidest = 60;  // a longer name does not move the other rows
  std::size_t width = 4;
  for (const auto& item : read.state) width = std::max(width, std::min(kWidest, name_text(item.first).size()));
  std::int64_t values = 0;
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : read.state) {
    std::cout << std::left << std::setw(static_cast<int>(width)) << name_text(name) << "  " << std::setw(8)
              << type_name(tensor) << "  " << (with_values ? std::setw(20) : std::setw(0)) << shape_text(tensor);
    if (with_values && tensor.numel() > 0) {
      const auto [least, greatest, sum] = values_of(tensor);
      std::cout << "  min " << number_text(least) << "  max " << number_text(greatest) << "  sum " << number_text(sum);
    }
    std::cout << "\n";
    values += tensor.numel();
    bytes += static_cast<std::size_t>(tensor.numel()) * tensor.element_size();
  }
  std::cout << read.state.size() << " tensors, " << values << " values, " << bytes << " bytes\n";
}

// In a type in which both have exactly their values. The bits of a uint64 stand for its value.
std::pair<at::Tensor, at::Tensor> comparable(const at::Tensor& a, const at::Tensor& b) {
  const auto is_whole = [](const at::Tensor& tensor) { return at::isIntegralType(tensor.scalar_type(), true); };
  const auto exact = [](const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kUInt64 ? tensor.contiguous().view(at::kLong) : tensor.to(at::kLong);
  };
  const bool both_or_none = (a.scalar_type() == at::kUInt64) == (b.scalar_type() == at::kUInt64);
  if (is_whole(a) && is_whole(b) && both_or_none) return {exact(a), exact(b)};
  return {a.to(at::kDouble), b.to(at::kDouble)};
}

// "3 of 10 values differ, by up to 0.5"; empty if all are equal: NaN to NaN, and 0 to -0.
std::string difference(const at::Tensor& first, const at::Tensor& second) {
  const auto [a, b] = comparable(first, second);
  const auto differ = at::logical_and(a != b, at::logical_not(at::logical_and(a != a, b != b)));
  const auto count = differ.sum().item<std::int64_t>();
  if (count == 0) return {};
  auto distance = (first.to(at::kDouble) - second.to(at::kDouble)).abs();
  if (a.scalar_type() == at::kLong)  // exact where it does not overflow
    distance = at::where(distance < 0x1p62, (a - b).abs().to(at::kDouble), distance);
  const auto finite = distance.masked_select(at::logical_and(differ, at::isfinite(distance)));
  const auto text = std::to_string(count) + " of " + std::to_string(first.numel()) + " values differ";
  return text + (finite.numel() ? ", by up to " + number_text(finite.max().item<double>()) : "") +
         (finite.numel() < count ? (finite.numel() ? ", and " : ", ") + std::to_string(count - finite.numel()) +
                                       " of them are infinite or NaN in one file"
                                 : "");
}

// Whether the files differ.
bool diff(const std::string& first, const std::string& second, const std::string& key) {
  const auto a = read_weights(weights_file(first), key).state, b = read_weights(weights_file(second), key).state;
  std::size_t same = 0;
  bool differ = false;
  const auto tell = [&](const std::string& name, const std::string& what) {
    std::cout << name_text(name) << ": " << what << "\n";
    differ = true;
  };
  for (const auto& [name, tensor] : a) {
    const auto found = b.find(name);
    if (found == b.end()) {
      tell(name, "only in " + first);
      continue;
    }
    const auto& other = found->second;
    if (tensor.sizes() != other.sizes()) {
      tell(name, shape_text(tensor) + " and " + shape_text(other));
      continue;
    }
    if (const auto what = difference(tensor, other); !what.empty())
      tell(name, what);
    else if (tensor.scalar_type() != other.scalar_type())
      tell(name, "the same values as " + type_name(tensor) + " and " + type_name(other));
    else
      ++same;
    forget_pages(tensor), forget_pages(other);
  }
  for (const auto& item : b)
    if (!a.count(item.first)) tell(item.first, "only in " + second);
  std::cout << same << " tensors are equal\n";
  return differ;
}

// The text that names the weights in the spec: not a file beside the spec that has the name of published ones.
std::string weights_of_spec(const std::string& weights, const fs::path& spec) {
  if (!published_entry(weights, weights)) return fs::absolute(weights).string();
  const auto beside = fs::absolute(spec).parent_path() / weights;
  if (fs::exists(beside)) throw DataError(weights, "is the name of published weights, and also " + beside.string());
  return weights;
}

// A checkpoint that predicts without the spec.
void make_checkpoint(const CommandLine& line, const fs::path& output) {
  OpenOptions options;
  options.changes = line.common.changes;
  for (const auto& change : options.changes)
    if (change.starts_with("/model/weights=") || change.starts_with("/model/weights_key="))
      throw po::error("--set " + change + ": FILE and --key say that");
  const auto spec = line.given["spec"].as<std::string>();
  options.changes.push_back("/model/weights=" + weights_of_spec(line.operands[1], spec));
  if (line.given.count("key")) options.changes.push_back("/model/weights_key=" + line.given["key"].as<std::string>());
  options.plugin_path = line.common.plugin_path;
  options.spec_plugins = !line.common.no_spec_plugins;
  options.plugin_option = "--plugin-path";
  options.fold = false;
  const auto network = open_published(spec, options, [&](const std::string& note) {
    if (!line.common.quiet) std::cerr << "note: " << note << "\n";
  });
  save_checkpoint(output, network.checkpoint(resolved_text(network.spec)));
}

bool is_safetensors(const fs::path& output) { return output.extension() == ".safetensors"; }

// Refuses a suffix of another format, and to lose what is read or is not weights.
void check_output(const fs::path& output, const std::string& published_or_path, bool checkpoint, bool overwrite) {
  const auto suffix = output.extension();
  const bool torch = suffix == ".pth" || suffix == ".pt" || suffix == ".bin";
  if (checkpoint && !torch)
    throw po::error("--output " + output.string() + ": a checkpoint is a file of torch.save: .pth, .pt or .bin");
  if (!torch && !is_safetensors(output))
    throw po::error("--output " + output.string() + ": the suffix says the format: .safetensors, or .pth, .pt or .bin");
  std::error_code unknown;
  if (!fs::exists(output, unknown)) return;
  for (const auto& file : files_of_weights(weights_file(published_or_path)))
    if (fs::equivalent(file, output, unknown)) throw po::error("--output " + output.string() + " is read itself");
  if (!overwrite) throw DataError(output, "exists already; replace it with --overwrite");
  bool weights = false;
  try {
    weights = format_of(output) != WeightsFormat::index;  // which any JSON looks like
  } catch (const DataError&) {
  }
  if (!weights) throw DataError(output, "is not a file of weights, and is not replaced; choose another name");
}

// Options that an action does not take are errors: they would have no effect.
void refuse_others(const CommandLine& line, const std::string& action, const std::vector<std::string>& taken) {
  for (const char* name : {"key", "values", "output", "spec", "overwrite"})
    if (line.given.count(name) && std::find(taken.begin(), taken.end(), name) == taken.end())
      throw po::error("weights " + action + " does not take --" + name);
  if (!line.common.changes.empty() && !line.given.count("spec"))
    throw po::error("--set changes a spec, and there is none: add --spec SPEC");
}

void convert(const std::string& published_or_path, const fs::path& output, const std::string& key) {
  const auto read = read_weights(weights_file(published_or_path), key);
  for (const auto& note : left_out(read)) std::cerr << "note: " << note << "\n";
  if (is_safetensors(output)) return write_safetensors(output, read.state);
  PythonDict dict;
  for (const auto& [name, tensor] : read.state) dict.emplace_back(name, tensor);
  write_torch_file(output, dict);
}

}  // namespace

void weights(int count, char** words) {
  po::options_description own("Options of weights");
  own.add_options()("key", po::value<std::string>()->value_name("NAME"),
                    "dictionary of the file with the weights, such as state_dict, or model/ema; . for the whole file;\n"
                    "default: a usual one")("values",
                                            "show: also print the least and greatest value and the sum of each tensor")(
      "output,o", po::value<std::string>()->value_name("FILE"), "convert: the file to write")(
      "spec", po::value<std::string>()->value_name("SPEC"), "convert: write a checkpoint of this spec's network")(
      "overwrite", "convert: replace a file that exists already");
  const auto line = parse({words, words + count}, "weights show|diff|convert FILE [FILE] [--spec SPEC] [OPTION]...",
                          kSummary, own, 2, 3);
  const auto& action = line.operands[0];
  const auto key = line.given.count("key") ? line.given["key"].as<std::string>() : "";
  const auto files = line.operands.size() - 1;
  const bool of_spec = line.given.count("spec") > 0;
  if (action == "show" && files == 1) {
    refuse_others(line, action, {"key", "values"});
    return show(line.operands[1], key, line.given.count("values") > 0);
  }
  if (action == "diff" && files == 2) {
    refuse_others(line, action, {"key"});
    if (diff(line.operands[1], line.operands[2], key)) throw std::runtime_error("the files differ");
    return;
  }
  if (action == "convert" && files == 1) {
    refuse_others(line, action, {"key", "output", "spec", "overwrite"});
    if (!line.given.count("output")) throw po::error("weights convert needs --output FILE");
    const fs::path output = line.given["output"].as<std::string>();
    check_output(output, line.operands[1], of_spec, line.given.count("overwrite") > 0);
    return of_spec ? make_checkpoint(line, output) : convert(line.operands[1], output, key);
  }
  throw po::error("weights takes show FILE, diff FILE FILE, convert FILE --output FILE, list [FILTER], or get NAME");
}

}  // namespace sectile
