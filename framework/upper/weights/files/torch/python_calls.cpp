#include "python_calls.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include <ATen/Functions.h>

#include "stored_tensors.h"

namespace sectile {
namespace {

constexpr std::uint64_t kTensor = 10;  // plain values
constexpr std::uint64_t kBytesPerValue = 24, kExpandedPerValue = 64;

[[noreturn]] void malformed() { throw std::runtime_error("is damaged: its pickle is not well formed"); }

const PythonValue& at(const PythonList& list, std::size_t i) {
  if (i >= list.size()) malformed();
  return list[i];
}

// Why a tensor that a function of torch rebuilds is not read.
std::string unread_by(const std::string& name) {
  static const std::map<std::string, std::string> known{
      {"_rebuild_sparse_tensor", "a sparse tensor"},
      {"_rebuild_sparse_csr_tensor", "a sparse tensor"},
      {"_rebuild_nested_tensor", "a nested tensor"},
      {"_rebuild_qtensor", "a quantized tensor"},
      {"_rebuild_meta_tensor_no_storage", "a meta tensor, which has no values"}};
  const auto found = known.find(name);
  return found == known.end() ? "a tensor of torch._utils." + name : found->second;
}

// The marks that torch.view_as_complex(…).conj().imag leaves on a tensor: {"neg": True}.
bool is_marked(const PythonList& arguments, std::size_t at, const char* mark) {
  const auto* value = at < arguments.size() ? arguments[at].find(mark) : nullptr;
  const auto* on = value ? value->as<bool>() : nullptr;
  return on && *on;
}

// The parameter or tensor that a function of torch rebuilds. A storage that is not there is one of a pickle whose
// values are not looked at; a text in its place says why it is not read.
std::optional<Made> rebuilt(const std::string& name, const PythonList& arguments, const CountValues& count) {
  if (name == "_rebuild_parameter" || name == "_rebuild_parameter_with_state") return Made{at(arguments, 0)};
  if (!name.starts_with("_rebuild_")) return {};
  count(kTensor);
  if (name != "_rebuild_tensor" && name != "_rebuild_tensor_v2" && name != "_rebuild_tensor_v3")
    return Made{{}, unread_by(name)};
  if (const auto* why = at(arguments, 0).as<std::string>()) return Made{{}, *why};
  if (!at(arguments, 0).as<at::Tensor>()) return Made{};
  // (storage, offset, sizes, strides, requires_grad, hooks, marks); in version 3, of bytes, with a type before the
  // marks
  const bool has_type = name == "_rebuild_tensor_v3";
  const std::size_t marks = has_type ? 7 : 6;
  auto parts = arguments;
  if (has_type) {
    const auto* type = at(arguments, 6).object();
    if (!type) malformed();
    if (!is_read(type->name)) return Made{{}, "a tensor of type " + type->name};
    parts[0] = arguments[0].as<at::Tensor>()->view(scalar_type_of(type->name));
  }
  if (is_marked(arguments, marks, "conj")) return Made{{}, "a conjugated tensor; save it after .resolve_conj()"};
  auto tensor = tensor_of(parts);
  if (tensor.numel() > parts[0].as<at::Tensor>()->numel())  // expanded: no memory, but time for those who look at it
    count(static_cast<std::uint64_t>(tensor.numel()) / kExpandedPerValue);
  return Made{is_marked(arguments, marks, "neg") ? at::_neg_view(tensor) : tensor};
}

// The type of a numpy array, from numpy.dtype("f4", False, True) and its state (3, "<", …).
std::optional<at::ScalarType> array_type(const PythonValue& dtype) {
  static const std::map<std::string, at::ScalarType> types{
      {"f2", at::kHalf},  {"f4", at::kFloat},  {"f8", at::kDouble}, {"i1", at::kChar},
      {"i2", at::kShort}, {"i4", at::kInt},    {"i8", at::kLong},   {"u1", at::kByte},
      {"b1", at::kBool},  {"u2", at::kUInt16}, {"u4", at::kUInt32}, {"u8", at::kUInt64}};
  const auto* object = dtype.object();
  if (!object || object->name != "numpy.dtype" || object->arguments.empty()) return {};
  const auto* code = object->arguments[0].as<std::string>();
  const auto* state = dtype.find("<state>") ? dtype.find("<state>")->list() : nullptr;
  if (state && state->size() > 1)
    if (const auto* order = (*state)[1].as<std::string>(); order && *order == ">") return {};
  const auto found = code ? types.find(*code) : types.end();
  return found == types.end() ? std::optional<at::ScalarType>() : found->second;
}

// Why an array is not read; empty for one without numbers, such as of texts.
std::string unread_array(const PythonValue& dtype) {
  const auto* object = dtype.object();
  const auto* code = object && !object->arguments.empty() ? object->arguments[0].as<std::string>() : nullptr;
  const bool numbers = code && !code->empty() && std::string("fiucb").find(code->front()) != std::string::npos;
  if (!numbers) return {};
  const auto* state = dtype.find("<state>") ? dtype.find("<state>")->list() : nullptr;
  const auto* order = state && state->size() > 1 ? (*state)[1].as<std::string>() : nullptr;
  return "an array of numpy of type " + (order && *order == ">" ? *order : "") + *code;
}

std::vector<std::int64_t> reversed_order(std::int64_t dimensions) {
  std::vector<std::int64_t> order;
  while (dimensions > 0) order.push_back(--dimensions);
  return order;
}

// An array of numpy; nothing if it has no numbers.
std::optional<Made> array(const PythonValue& dtype, const PythonValue& shape, bool fortran,
                          const PythonValue& values_of, const CountValues& count) {
  const auto type = array_type(dtype);
  const auto* bytes = values_of.as<std::string>();
  if (!type && !unread_array(dtype).empty()) return Made{{}, unread_array(dtype)};
  if (!type || !bytes) return {};
  auto sizes = sizes_of(shape);
  if (fortran) std::reverse(sizes.begin(), sizes.end());
  std::uint64_t values = 1;
  for (const auto size : sizes)
    if (__builtin_mul_overflow(values, static_cast<std::uint64_t>(size), &values)) malformed();
  if (bytes->size() % c10::elementSize(*type) || values != bytes->size() / c10::elementSize(*type)) malformed();
  count(kTensor + bytes->size() / kBytesPerValue);
  auto tensor = at::empty(sizes, at::dtype(*type));
  if (!bytes->empty()) std::memcpy(tensor.mutable_data_ptr(), bytes->data(), bytes->size());
  if (fortran) tensor = tensor.permute(reversed_order(tensor.dim()));
  return Made{tensor};
}

// numpy.float64(…) and others: (type, bytes).
std::optional<Made> number_of(const PythonList& arguments) {
  const auto type = array_type(at(arguments, 0));
  const auto* bytes = at(arguments, 1).as<std::string>();
  if (!type || c10::isBarebonesUnsignedType(*type) || !bytes || bytes->size() != c10::elementSize(*type)) return {};
  auto value = at::empty({}, at::dtype(*type));
  std::memcpy(value.mutable_data_ptr(), bytes->data(), bytes->size());
  if (*type == at::kBool) return Made{bytes->front() != 0};
  if (value.is_floating_point()) return Made{value.item<double>()};
  return Made{value.item<std::int64_t>()};
}

// Text whose characters are bytes: how pickles of protocol 2 write bytes.
std::string bytes_of(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80) {
      bytes += text[i];
      continue;
    }
    if ((first & 0xfc) != 0xc0 || i + 1 == text.size()) malformed();  // above U+00FF
    bytes += static_cast<char>((first & 3U) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3fU));
  }
  return bytes;
}

PythonDict dict_of(const PythonList& arguments) {
  PythonDict dict;
  for (const auto& argument : arguments) {
    if (const auto* items = argument.dict()) dict.insert(dict.end(), items->begin(), items->end());
    if (const auto* pairs = argument.list())
      for (const auto& pair : *pairs)
        if (const auto* both = pair.list(); both && both->size() == 2) dict.emplace_back((*both)[0], (*both)[1]);
  }
  return dict;
}

PythonValue list_of(const PythonList& arguments) {
  if (arguments.empty()) return PythonList();
  return arguments[0].list() ? arguments[0] : PythonValue(PythonList());
}

}  // namespace

std::optional<Made> call_known(const std::string& function, const PythonList& arguments, const CountValues& count) {
  constexpr const char *kUtils = "torch._utils.", *kScript = "torch.jit._pickle.";
  if (function.starts_with(kUtils)) return rebuilt(function.substr(std::strlen(kUtils)), arguments, count);
  if (function == "torch._tensor._rebuild_from_type_v2") {  // of a subclass: (function, class, its arguments, state)
    const auto* inner = at(arguments, 0).object();
    const auto* of_inner = at(arguments, 2).list();
    if (!inner || !of_inner || !inner->name.starts_with(kUtils)) return {};
    return rebuilt(inner->name.substr(std::strlen(kUtils)), *of_inner, count);
  }
  // TorchScript: lists of one type, and values with their type.
  if (function.starts_with(kScript)) return Made{arguments.empty() ? PythonValue() : arguments[0]};
  if (function == "collections.OrderedDict" || function == "builtins.dict" || function == "__builtin__.dict" ||
      function == "collections.Counter" || function == "collections.defaultdict")
    return Made{dict_of(arguments)};
  if (function == "torch.Size" || function == "builtins.set" || function == "builtins.frozenset" ||
      function == "builtins.list" || function == "builtins.tuple" || function == "__builtin__.set" ||
      function == "__builtin__.frozenset" || function == "__builtin__.list" || function == "__builtin__.tuple")
    return Made{list_of(arguments)};
  if (function == "torch.device") return Made{"device"};
  if (function == "torch.serialization._get_layout") return Made{"layout"};
  if (function == "_codecs.encode" && !arguments.empty() && arguments[0].as<std::string>()) {
    const auto& text = *arguments[0].as<std::string>();
    count(3 + text.size() / kBytesPerValue);
    return Made{bytes_of(text)};
  }
  if ((function == "builtins.bytes" || function == "builtins.bytearray" || function == "__builtin__.bytes") &&
      arguments.empty())
    return Made{""};
  // (bytes, type, shape, order), of protocol 5
  if (function == "numpy.core.numeric._frombuffer" || function == "numpy._core.numeric._frombuffer") {
    const auto* order = at(arguments, 3).as<std::string>();
    return array(at(arguments, 1), at(arguments, 2), order && *order == "F", at(arguments, 0), count);
  }
  if (function == "numpy.core.multiarray.scalar" || function == "numpy._core.multiarray.scalar")
    return number_of(arguments);
  return {};
}

std::optional<Made> array_of(const PythonObject& object, const PythonValue& state, const CountValues& count) {
  if (object.name != "numpy.core.multiarray._reconstruct" && object.name != "numpy._core.multiarray._reconstruct")
    return {};
  const auto* parts = state.list();  // (version, shape, type, whether it is in Fortran's order, bytes)
  if (!parts || parts->size() != 5) malformed();
  const auto* fortran = (*parts)[3].as<bool>();
  if (!fortran) return {};
  return array((*parts)[2], (*parts)[1], *fortran, (*parts)[4], count);
}

}  // namespace sectile
