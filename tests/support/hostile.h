// Files of torch.save that were made to do harm, byte by byte: seeds for tests of everything that reads foreign files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sectile::test {

inline std::string little_endian(std::uint64_t number, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

inline std::string repeated(const std::string& part, std::size_t count) {
  std::string all;
  all.reserve(part.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += part;
  return all;
}

struct ZipRecord {
  std::string name, bytes;
  std::optional<std::uint32_t> unpacked{};  // the record is deflated, and states this size
  bool again = false;                       // no bytes of its own: those of the record before it
};

// Stored records, as torch.save writes them, except where a record says otherwise. Checksums are 0.
inline std::string zip_of(const std::vector<ZipRecord>& records) {
  std::string file, directory;
  std::size_t offset = 0, packed = 0;
  for (const auto& record : records) {
    if (!record.again) offset = file.size(), packed = record.bytes.size();
    const auto common = little_endian(0, 2) + little_endian(record.unpacked ? 8 : 0, 2) + little_endian(0, 8) +
                        little_endian(packed, 4) + little_endian(record.unpacked.value_or(packed), 4) +
                        little_endian(record.name.size(), 2) + little_endian(0, 2);
    if (!record.again) file += "PK\3\4" + little_endian(20, 2) + common + record.name + record.bytes;
    directory += "PK\1\2" + little_endian(20, 2) + little_endian(20, 2) + common + std::string(10, '\0') +
                 little_endian(offset, 4) + record.name;
  }
  const auto start = file.size();
  return file + directory + "PK\5\6" + little_endian(0, 4) + little_endian(records.size(), 2) +
         little_endian(records.size(), 2) + little_endian(directory.size(), 4) + little_endian(start, 4) +
         little_endian(0, 2);
}

inline std::string torch_file(const std::string& pickle, const std::vector<ZipRecord>& more = {}) {
  std::vector<ZipRecord> records{{"archive/data.pkl", "\x80\x02" + pickle + "."}};
  records.insert(records.end(), more.begin(), more.end());
  records.push_back({"archive/version", "3\n"});
  return zip_of(records);
}

// Zeros as one deflated block, in a 159th of their size: a zero, then copies of the last 258 bytes (RFC 1951, 3.2.6).
inline std::string deflated_zeros(std::size_t copies) {
  std::string bytes;
  unsigned held = 0, count = 0;
  const auto put = [&](unsigned bits, unsigned length) {  // the first bit of a stream is the lowest of its byte
    for (unsigned i = 0; i < length; ++i) {
      held |= (bits >> (length - 1 - i) & 1) << count;
      if (++count == 8) bytes += static_cast<char>(held), held = count = 0;
    }
  };
  put(0b110, 3);                                                       // last block, fixed codes
  put(0b00110000, 8);                                                  // literal 0
  for (std::size_t i = 0; i < copies; ++i) put(0b11000101'00000, 13);  // length 258, distance 1
  put(0, 7 + 7);                                                       // end of block, and the rest of the last byte
  return bytes;
}
inline ZipRecord deflated_record(const std::string& name, std::uint32_t copies) {
  return {name, deflated_zeros(copies), 1 + 258 * copies};
}

// Parts of pickles, in protocol 2.
inline std::string opcode(char code, std::string argument) {
  argument.insert(argument.begin(), code);
  return argument;
}
inline std::string text_value(const std::string& text) {
  auto value = opcode('X', little_endian(text.size(), 4));
  value += text;
  return value;
}
inline std::string small_integer(int number) {
  return opcode('J', little_endian(static_cast<std::uint32_t>(number), 4));
}
inline std::string put_memo(std::size_t key) { return opcode('r', little_endian(key, 4)); }
inline std::string get_memo(std::size_t key) { return opcode('j', little_endian(key, 4)); }
// Of storage "0", which holds `count` floats.
inline std::string storage_value(int count) {
  return "(" + text_value("storage") + "ctorch\nFloatStorage\n" + text_value("0") + text_value("cpu") +
         small_integer(count) + "tQ";
}
inline std::string tensor_value(const std::string& storage, const std::string& sizes, const std::string& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + "K" + std::string(1, '\0') + "(" + sizes + "t(" + strides +
         "t\x89}tR";
}

// By what they try. At -O3, GCC 12 takes the joined texts for longer than memory (-Wstringop-overflow).
#ifdef __clang__
inline std::map<std::string, std::string> hostile_files() {
#else
[[gnu::optimize("O1")]] inline std::map<std::string, std::string> hostile_files() {
#endif
  constexpr std::size_t kMany = 3'000'000, kLong = 1'000'000, kCopies = 500, kDeep = 50'000;
  const ZipRecord one_float{"archive/data/0", std::string(4, '\0')};
  std::string chain = "]" + put_memo(0);
  for (std::size_t i = 0; i < kDeep; ++i) chain += get_memo(i) + "]" + put_memo(i + 1) + "a0";
  std::vector<ZipRecord> overlapping{{"archive/data/0", std::string(kLong, '\0')}};
  std::string storages;
  for (std::size_t i = 0; i < kCopies; ++i) {
    const auto key = std::to_string(i);
    if (i > 0) overlapping.push_back({"archive/data/" + key, "", {}, true});
    storages += "(" + text_value("storage") + "ctorch\nByteStorage\n" + text_value(key) + text_value("cpu") +
                small_integer(kLong) + "tQ";
  }
  const auto tensor = tensor_value(storage_value(1), "", "");
  std::string doubled = "}(" + text_value("w") + tensor + "u" + put_memo(100);  // 2^40 names of one tensor
  for (std::size_t i = 100; i < 140; ++i)
    doubled += "0}(" + text_value("a") + get_memo(i) + text_value("b") + get_memo(i) + "u" + put_memo(i + 1);
  std::string wide = "}" + put_memo(0);  // 300^4 paths to a dict of nothing
  for (std::size_t level = 0; level < 4; ++level) {
    wide += "0}(";
    for (std::size_t i = 0; i < 300; ++i) wide += text_value(std::to_string(i)) + get_memo(level);
    wide += "u" + put_memo(level + 1);
  }
  std::string shared_tensor = "ctorch._utils\n_rebuild_tensor_v2\nq\1(";
  shared_tensor += storage_value(1);
  shared_tensor += std::string("K\0))\x89}tq\2R", 10);
  return {
      {"nested tuples", torch_file("N" + std::string(kMany, '\x85'))},
      {"nested dicts", torch_file(repeated("}(K\1", kDeep) + "N" + std::string(kDeep, 'u'))},
      {"nested lists, from the outermost inwards", torch_file(chain)},
      {"a list inside itself", torch_file("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a")},
      {"long names from few bytes",
       torch_file(text_value(std::string(498, 'x')) + "q\1" + repeated("h\1h\1\x93", kMany / 20))},
      {"a text in many memo entries", torch_file(text_value(std::string(kLong, 'x')) + std::string(kCopies, '\x94'))},
      {"a text many times",
       torch_file("(" + text_value(std::string(kLong, 'x')) + "q\1" + repeated("h\1", kCopies) + "l")},
      {"a class name many times",
       torch_file("(c" + std::string(kLong, 'x') + "\nX\nq\1" + repeated("h\1", kCopies) + "l")},
      {"many lists", torch_file("(" + std::string(kMany, ']') + "l")},
      {"many memo entries", torch_file("N" + std::string(kMany, '\x94'))},
      {"dicts in dicts, twice each", torch_file(doubled, {one_float})},
      {"dicts in dicts, 300 times each", torch_file(wide)},
      {"many tensors", torch_file("(" + shared_tensor + repeated("h\1h\2R", kMany / 5) + "l", {one_float})},
      {"a tensor of many dimensions",
       torch_file(tensor_value(storage_value(1), repeated("K\1", kDeep), repeated("K\1", kDeep)), {one_float})},
      {"a tensor larger than its storage",
       torch_file(tensor_value(storage_value(1), repeated(small_integer(1 << 20), 2), std::string("K\0K\0", 4)),
                  {one_float})},
      {"a storage larger than its record", torch_file(tensor_value(storage_value(1 << 30), "", ""), {one_float})},
      {"an integer of many bytes", torch_file("\x8a\xff" + std::string(255, '\x7f'))},
      {"a deflated pickle", zip_of({deflated_record("archive/data.pkl", 4'000'000), {"archive/version", "3\n"}})},
      {"a deflated storage", torch_file(tensor, {deflated_record("archive/data/0", 4'000'000)})},
      {"a deflated version",
       zip_of({{"archive/data.pkl", "\x80\x02}."}, deflated_record("archive/version", 4'000'000)})},
      {"records that share their bytes", torch_file("(" + storages + "l", overlapping)},
  };
}

}  // namespace sectile::test
