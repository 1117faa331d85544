// Of every kind: names, summary, help, defaults, and how wrong options are answered.
#include <algorithm>

#include "contract.h"
#include "ground/describe/json_schema.h"

namespace sectile::contract {
namespace {

bool is_name(const std::string& text) {  // snake_case
  return !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

void document_group(Findings& findings, const ValueType& type, const std::string& where) {
  const auto values = type.make();
  Options options;
  type.declare(values.get(), options);
  for (const auto& option : options.all()) {
    const auto name = where + option->name;
    findings.expect(is_name(option->name), "option \"" + name + "\" is not named in snake_case");
    findings.expect(std::string(option->help).find(' ') != std::string::npos,
                    "option \"" + name + "\" has no sentence of help");
    const auto* inner = option->type;
    while (inner->element) inner = inner->element;
    if (inner->shape == Shape::group) document_group(findings, *inner, name + "/");
  }
}

// What reading the JSON complains about.
std::vector<Problem> problems(const Subject& subject, const Json& json) {
  try {
    read_options(subject, json);
  } catch (const SpecError& error) {
    return error.problems();
  }
  return {};
}

void check_defaults(Findings& findings, const Subject& subject, const std::vector<std::string>& required) {
  const auto defaults = subject.component.options->make();
  auto json = resolved(defaults.get(), *subject.component.options);
  for (const auto& name : required) json.erase(name);
  auto missing = required;
  for (const auto& problem : problems(subject, json)) {
    const auto is_about = [&](const std::string& name) {
      return problem.message.find("option \"" + name + "\" is missing: ") == 0;
    };
    const auto found = std::find_if(missing.begin(), missing.end(), is_about);
    if (found != missing.end())
      missing.erase(found);
    else
      findings.expect(false, "its defaults are not valid: " + problem.pointer + ": " + problem.message);
  }
  for (const auto& name : missing)
    findings.expect(false, "the required option \"" + name + "\" optional without a word");
}

void check_unknown_option(Findings& findings, const Subject& subject, const std::vector<std::string>& names) {
  const auto wrong = names.empty() ? "no_such_option" : names.front() + "x";
  const auto found = problems(subject, Json{{wrong, 1}});
  const auto refusal =
      std::find_if(found.begin(), found.end(), [&](const Problem& problem) { return problem.pointer == "/" + wrong; });
  if (refusal == found.end()) return findings.expect(false, "the unknown option \"" + wrong + "\" is not refused");
  findings.expect(names.empty() || refusal->message.find(names.front()) != std::string::npos,
                  "the unknown option \"" + wrong + "\" is refused without a suggestion: " + refusal->message);
}

}  // namespace

Findings documentation_contract(const Subject& subject) {
  Findings findings;
  const auto& component = subject.component;
  findings.expect(is_name(component.name), "its name is not snake_case");
  findings.expect(std::string(component.summary).find(' ') != std::string::npos, "it has no summary");
  for (const auto& entry : subject.index.all())
    if (entry.kind == component.kind && entry.name == component.name) {
      findings.expect(entry.summary == component.summary, "its stamp has another summary than its table");
      findings.expect(!entry.version.empty(), "its stamp has no version");
    }
  findings.attempt("declaring its options", [&] {
    document_group(findings, *component.options, "");
    const auto values = component.options->make();
    Options options;
    component.options->declare(values.get(), options);
    std::vector<std::string> names, required;
    for (const auto& option : options.all()) {
      names.emplace_back(option->name);
      if (option->is_required) required.emplace_back(option->name);
    }
    check_defaults(findings, subject, required);
    check_unknown_option(findings, subject, names);
  });
  findings.attempt("writing its schema", [&] {
    findings.expect(json_schema(component)["description"] == component.summary, "its schema lacks the summary");
  });
  return findings;
}

}  // namespace sectile::contract
