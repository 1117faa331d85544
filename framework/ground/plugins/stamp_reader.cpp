#include "stamp_reader.h"

#include <elf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <optional>

#include "../named_pipe.h"

namespace sectile {
namespace {

constexpr char kSection[] = ".sectile_plugin";
constexpr std::uint64_t kLongestTable = 16 << 20;  // bytes
#if defined(__x86_64__)
constexpr int kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr int kMachine = EM_AARCH64;
#else
#error "name this machine's number in ELF headers"
#endif
constexpr int kByteOrder = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

class Bytes {
 public:
  explicit Bytes(std::istream& in) : in_(in) {
    in_.seekg(0, std::ios::end);
    size_ = static_cast<std::uint64_t>(std::max<std::streamoff>(in_.tellg(), 0));
  }
  std::uint64_t size() const { return size_; }

  // Nothing if any of it is beyond the end, or longer than tables of a library are.
  template <class T>
  std::optional<std::vector<T>> read(std::uint64_t offset, std::uint64_t count) {
    if (count > std::min(size_, kLongestTable) / sizeof(T) || offset > size_ - count * sizeof(T)) return std::nullopt;
    std::vector<T> items(count);
    in_.seekg(static_cast<std::streamoff>(offset));
    in_.read(reinterpret_cast<char*>(items.data()), static_cast<std::streamsize>(count * sizeof(T)));
    if (!in_) return std::nullopt;
    return items;
  }

 private:
  std::istream& in_;
  std::uint64_t size_ = 0;
};

// Empty if it is a shared library for this machine.
std::string wrong_header(const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != kByteOrder || header.e_machine != kMachine)
    return "was built for another machine (ELF class " + std::to_string(header.e_ident[EI_CLASS]) + ", machine " +
           std::to_string(header.e_machine) + "; expected class 2, machine " + std::to_string(kMachine) + ")";
  if (header.e_type != ET_DYN) return "is an ELF file, but not a shared library";
  return "";
}

template <std::size_t N>
bool printable(const char (&field)[N]) {
  const auto words = text(field);
  return words.size() < N && std::none_of(words.begin(), words.end(),
                                          [](char c) { return (static_cast<unsigned char>(c) < ' ') || c == '\x7f'; });
}

std::string wrong_stamp(const Stamp& stamp) {
  if (std::memcmp(stamp.magic, kStampMagic, sizeof kStampMagic) != 0)
    return "has a stamp of another layout; rebuild it against this installation (find_package(Sectile))";
  const bool whole = printable(stamp.abi) && printable(stamp.kind) && printable(stamp.name) &&
                     printable(stamp.version) && printable(stamp.summary);
  return whole && stamp.kind[0] && stamp.name[0] ? "" : "has a damaged stamp";
}

StampReading refuse(std::string problem) { return {{}, std::move(problem)}; }

}  // namespace

StampReading read_stamps(const std::filesystem::path& library) {
  std::error_code unknown;
  if (std::filesystem::is_directory(library, unknown)) return refuse("is a folder");
  if (is_named_pipe(library)) return refuse("is a named pipe");
  std::ifstream file(library, std::ios::binary);
  if (!file) return refuse(std::string("cannot be read: ") + std::strerror(errno));
  return read_stamps(file);
}

StampReading read_stamps(std::istream& library) {
  constexpr const char* kCutShort = "is cut short or damaged";
  Bytes file(library);
  if (file.size() == 0) return refuse("is empty");

  const auto magic = file.read<char>(0, SELFMAG);
  if (!magic || std::memcmp(magic->data(), ELFMAG, SELFMAG) != 0)
    return refuse("is not a shared library (not an ELF file)");
  const auto headers = file.read<Elf64_Ehdr>(0, 1);
  if (!headers) return refuse(kCutShort);
  const auto& header = headers->front();
  if (auto problem = wrong_header(header); !problem.empty()) return refuse(std::move(problem));

  const auto sections = file.read<Elf64_Shdr>(header.e_shoff, header.e_shnum);
  if (!sections || header.e_shstrndx >= sections->size()) return refuse(kCutShort);
  const auto& name_section = (*sections)[header.e_shstrndx];
  const auto names = file.read<char>(name_section.sh_offset, name_section.sh_size);
  if (!names) return refuse(kCutShort);

  for (const auto& section : *sections) {
    const std::uint64_t start = section.sh_name;
    if (start + sizeof kSection > names->size()) continue;
    if (std::memcmp(names->data() + start, kSection, sizeof kSection) != 0) continue;
    auto stamps = file.read<Stamp>(section.sh_offset, section.sh_size / sizeof(Stamp));
    if (!stamps || section.sh_type == SHT_NOBITS) return refuse(kCutShort);
    for (const auto& stamp : *stamps)
      if (auto problem = wrong_stamp(stamp); !problem.empty()) return refuse(std::move(problem));
    if (stamps->empty())
      return refuse("has a stamp of another layout; rebuild it against this installation (find_package(Sectile))");
    return {std::move(*stamps), ""};
  }
  return refuse("is not a Sectile plugin (it has no SECTILE_PLUGIN)");
}

}  // namespace sectile
