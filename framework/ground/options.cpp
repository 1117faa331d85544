#include <sectile/options.h>

#include <utility>

#include <sectile/error.h>

namespace sectile {

Recipe::~Recipe() = default;

Problems::Problems(std::vector<Problem>& all, std::string pointer) : all_(all), pointer_(std::move(pointer)) {}
void Problems::add(const std::string& option, const std::string& message) {
  all_.push_back({pointer_ + "/" + option, message});
}

void AnyRef::set(std::string type, std::shared_ptr<const Recipe> recipe) {
  type_ = std::move(type);
  recipe_ = std::move(recipe);
  given_.clear();
}
const Recipe& AnyRef::recipe() const {
  if (!recipe_) throw PluginError("Ref", "is empty: test it, or declare the option required()");
  return *recipe_;
}

Option::Option(const char* option_name, void* option_value, const ValueType& value_type, const char* option_help)
    : name(option_name), help(option_help), value(option_value), type(&value_type) {}
Option& Option::at_least(double limit) {
  minimum = limit;
  return *this;
}
Option& Option::at_most(double limit) {
  maximum = limit;
  return *this;
}
Option& Option::one_of(std::initializer_list<const char*> names) {
  choices.assign(names.begin(), names.end());
  return *this;
}
Option& Option::not_empty() {
  must_not_be_empty = true;
  return *this;
}
Option& Option::required() {
  is_required = true;
  return *this;
}
Option& Option::renamed_from(const char* old) {
  old_name = old;
  return *this;
}
Option& Option::or_published() {
  takes_published = true;
  return *this;
}

Option& Option::also_single() {
  takes_single = true;
  return *this;
}

Options::Options() = default;
Options::~Options() = default;
Option& Options::add(const char* name, void* member, const ValueType& type, const char* help) {
  return *options_.emplace_back(std::make_unique<Option>(name, member, type, help));
}

}  // namespace sectile
