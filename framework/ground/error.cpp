#include <sectile/error.h>

namespace sectile {
namespace {

std::string join(const std::vector<Problem>& problems) {
  std::string text;
  for (const auto& problem : problems) text += (text.empty() ? "" : "\n") + problem.pointer + ": " + problem.message;
  return text;
}

}  // namespace

SpecError::SpecError(std::vector<Problem> problems)
    : std::runtime_error(join(problems)), problems_(std::move(problems)) {}
SpecError::SpecError(const std::string& pointer, const std::string& message)
    : SpecError(std::vector<Problem>{{pointer, message}}) {}
SpecError::~SpecError() = default;
OptionError::OptionError(std::vector<Problem> problems)
    : std::runtime_error(join(problems)), problems_(std::move(problems)) {}
OptionError::OptionError(const std::string& option, const std::string& message)
    : OptionError(std::vector<Problem>{{option, message}}) {}
OptionError::~OptionError() = default;
PluginError::PluginError(const std::string& where, const std::string& reason)
    : std::runtime_error(where + ": " + reason) {}
PluginError::~PluginError() = default;
DataError::DataError(const std::string& where, const std::string& reason) : std::runtime_error(where + ": " + reason) {}
DataError::~DataError() = default;

}  // namespace sectile
