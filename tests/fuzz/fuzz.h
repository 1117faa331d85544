// What all fuzzers share. Each reads the bytes of a stranger's file, which may be refused, and nothing worse.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <sectile/error.h>

#include "support/scratch.h"

namespace sectile::test {

// Called by libFuzzer, whose own main() is linked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

inline std::string text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// In a folder of its own, with these bytes until the next call.
inline std::filesystem::path file_of(const std::string& bytes) {
  static const Scratch folder;
  return folder.write("file", bytes);
}

// Every other exception ends the fuzzer, and is a finding.
template <class Read>
void read_or_refuse(const Read& read) {
  try {
    read();
  } catch (const SpecError&) {
  } catch (const OptionError&) {
  } catch (const PluginError&) {
  } catch (const DataError&) {
  }
}

}  // namespace sectile::test
