// Headers of safetensors: what is read, and every way in which a file can lie about where its tensors are.
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "ground/weights/safetensors_header.h"
#include "support/test.h"

using namespace sectile;

namespace {

std::string safetensors(const std::string& header, std::size_t values, std::uint64_t length = 0) {
  std::string bytes(sizeof length, '\0');
  if (length == 0) length = header.size();
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(values, '\1');
}

std::string refusal(const std::string& file) {
  try {
    read_safetensors_header(file);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "read";
}

std::string entry(const std::string& name, const std::string& shape, const std::string& offsets,
                  const std::string& type = "F32") {
  return "\"" + name + "\": {\"dtype\": \"" + type + "\", \"shape\": " + shape + ", \"data_offsets\": " + offsets + "}";
}

std::string object(const std::vector<std::string>& members, const std::string& padding = "") {
  std::string text = "{";
  for (const auto& member : members) {
    if (text.size() > 1) text += ", ";
    text += member;
  }
  text += "}";
  return text + padding;
}

}  // namespace

TEST_CASE("a header of safetensors says where each tensor lies, in the order of their bytes") {
  const auto read = read_safetensors_header(safetensors(
      object({entry("b", "[2]", "[8, 16]"), R"("__metadata__": {"format": "pt"})", entry("a", "[1, 2]", "[0, 8]"),
              entry("none", "[0, 3]", "[16, 16]"), entry("one", "[]", "[16, 18]", "BF16")},
             "   "),
      18));
  REQUIRE(read.tensors.size() == 4);
  CHECK(read.tensors[0].name == "a");
  CHECK(read.tensors[1].shape == std::vector<std::int64_t>{2});
  CHECK(read.tensors[1].offset == read.tensors[0].offset + 8);
  CHECK(read.tensors[3].bytes == 2);
  CHECK(read.metadata.at("format") == "pt");
}

TEST_CASE("a header is written as it is read") {
  std::vector<SafetensorsHeader::Tensor> tensors{{"x \"y\"", "F16", {3, 2}, 0, 12}, {"z", "I64", {}, 0, 8}};
  const auto bytes = write_safetensors_header(tensors, {{"format", "pt"}}) + std::string(20, '\0');
  CHECK((bytes.size() - 20) % 8 == 0);
  const auto read = read_safetensors_header(bytes);
  REQUIRE(read.tensors.size() == 2);
  CHECK(read.tensors[0].name == "x \"y\"");
  CHECK(read.tensors[1].offset == bytes.size() - 8);
}

TEST_CASE(
    "safetensors whose header lies are refused: bytes shared, left over or beyond the end, other sizes, no JSON") {
  const auto two = [](const std::string& a, const std::string& b, std::size_t values = 16) {
    return refusal(safetensors(object({entry("a", "[2]", a), entry("b", "[2]", b)}), values));
  };
  CHECK(two("[0, 8]", "[8, 16]") == "read");
  for (const auto& [a, b] :
       {std::pair{"[0, 8]", "[4, 12]"}, {"[0, 8]", "[0, 8]"}, {"[0, 8]", "[12, 20]"}, {"[4, 12]", "[12, 20]"}})
    CHECK(two(a, b).find("has tensors that share bytes, or bytes of none") == 0);
  CHECK(two("[0, 8]", "[8, 16]", 12).find("is cut short: the values of b") == 0);
  CHECK(two("[0, 8]", "[8, 16]", 20) == "has 4 bytes after its last tensor");
  CHECK(two("[0, 8]", "[16, 8]").find("has 8 bytes of values for b") == 0);
  CHECK(two("[0, 8]", "[-8, 0]").find("has a header with the number -8 for b") == 0);
  CHECK(two("[0, 8]", "[18446744073709551608, 18446744073709551615]").find("has 8 bytes of values for b") == 0);
  CHECK(two("[0, 8]", "[8.0, 16]").find("has a header with the number 8.0 for b") == 0);
  const auto one = [](const std::string& text, std::size_t values = 8) {
    return refusal(safetensors(object({text}), values));
  };
  CHECK(one(entry("a", "[4611686018427387904, 4]", "[0, 8]")).find("has a shape that is too large for a") == 0);
  CHECK(one(entry("a", "[3]", "[0, 8]")).find("has 12 bytes of values for a by its shape") == 0);
  CHECK(one(entry("a", "[16]", "[0, 8]", "F4")) == "read");  // a type without a size
  CHECK(one(entry("a", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0, 8]")).find("has more than 16 dimensions") == 0);
  CHECK(
      one("\"a\": {\"dtype\": \"F32\"}").find("has a header without \"dtype\", \"shape\" or \"data_offsets\" for a") ==
      0);
  CHECK(one("\"a\": 3").find("has a header without") == 0);
  CHECK(one(entry("a", "[2]", "[0, 8]") + ", " + entry("a", "[2]", "[0, 8]"))
            .find("has a header with two entries \"a\"") == 0);
  CHECK(refusal(safetensors("[1]", 0)).find("has a header that is not a JSON object") == 0);
  CHECK(refusal(safetensors("{", 0)).find("has a header that is not valid JSON: parse error at line 1, column 2") == 0);
  CHECK(refusal(std::string(7, '\0')) == "is cut short: it has no header");
  CHECK(refusal(safetensors("{}", 0, 3)) == "is cut short: its header has 3 bytes");
  CHECK(
      refusal(safetensors("{}", 0, std::uint64_t{1} << 63)).find("is cut short: its header has 9223372036854775808") ==
      0);
  CHECK(refusal(safetensors("{\"a\": \"" + std::string("\xff\xfe") + "\"}", 0))
            .find("has a header that is not valid JSON: ") == 0);
}

TEST_CASE("many tensors are read, and no more than a file of its size needs") {
  constexpr std::size_t kTensors = 40'000, kTooMany = 130'000;
  const auto entries = [](std::size_t count) {
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) {
      const auto name = std::to_string(i);
      text += i ? ", \"" : "\"";
      text += name + R"(": {"dtype": "F32", "shape": [0, 1, 1, 1], "data_offsets": [0, 0]})";
    }
    return text + "}";
  };
  CHECK(read_safetensors_header(safetensors(entries(kTensors), 0)).tensors.size() == kTensors);
  CHECK(refusal(safetensors(entries(kTooMany), 0)).find("entries, which a file of its size does not need") !=
        std::string::npos);
  std::string index = R"({"weight_map": {)";
  for (std::size_t i = 0; i < kTensors; ++i) index += (i ? ", \"l" : "\"l") + std::to_string(i) + R"(": "f")";
  CHECK(read_weight_map(index + "}}").size() == kTensors);
  std::string bomb;
  for (int i = 0; i < 300'000; ++i) bomb += "[],";
  CHECK(refusal(safetensors("{\"a\": [" + bomb + "0]}", 0)).find("values in one entry") != std::string::npos);
  std::string objects = "{\"a\": {";
  for (int i = 0; i < 200; ++i) objects += (i ? ",\"" : "\"") + std::to_string(i) + "\":{}";
  CHECK(refusal(safetensors(objects + "}}", 0)).find("more than 100 objects in one entry") != std::string::npos);
  CHECK(refusal(safetensors("{\"a\": " + std::string(1000, '[') + std::string(1000, ']') + "}", 0))
            .find("nested more than 100 deep") != std::string::npos);
}

TEST_CASE("an index of weights names files beside it") {
  CHECK(read_weight_map(R"({"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})").at("b") ==
        "2.safetensors");
  const auto said = [](const std::string& index) {
    try {
      read_weight_map(index);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string("read");
  };
  CHECK(said(R"({"weight_map": {"a": "../x"}})").find("which is not in the folder of the index") != std::string::npos);
  CHECK(said(R"({"weight_map": {"a": ".."}})").find("which is not in the folder of the index") != std::string::npos);
  CHECK(said(R"({"weight_map": {"a": 3}})") == "names no file for a");
  CHECK(said(R"({"weight_map": {}})") == "is an index of no weights");
  CHECK(said("{}").find("without \"weight_map\"") != std::string::npos);
}
