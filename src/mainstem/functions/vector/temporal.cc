// Temporal kernels: parts of dates and times, formatting, truncation.
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/type.h>

#include <map>

#include "mainstem/functions/vector/arrow_function.h"

namespace mainstem {
namespace {

using FunctionOptionsPtr = std::shared_ptr<arrow::compute::FunctionOptions>;

const std::vector<ArgumentSpec> kTime = {{"time", TypePattern::kTemporal, ""}};

FunctionDefinition Part(const std::string& part, std::string doc) {
  return VectorFunction("temporal." + part, std::move(doc), kTime, CallArrow(part));
}

const std::map<std::string, arrow::compute::CalendarUnit>& Units() {
  using arrow::compute::CalendarUnit;
  static const std::map<std::string, CalendarUnit> kUnits = {
      {"second", CalendarUnit::SECOND}, {"minute", CalendarUnit::MINUTE}, {"hour", CalendarUnit::HOUR},
      {"day", CalendarUnit::DAY},       {"week", CalendarUnit::WEEK},     {"month", CalendarUnit::MONTH},
      {"quarter", CalendarUnit::QUARTER}, {"year", CalendarUnit::YEAR}};
  return kUnits;
}

}  // namespace

std::vector<FunctionDefinition> TemporalFunctions() {
  std::vector<std::string> unit_names;
  for (const auto& [name, unit] : Units()) unit_names.push_back(name);
  return {
      Part("year", "The year."),
      Part("month", "The month, 1 to 12."),
      Part("day", "The day of the month, from 1."),
      Part("hour", "The hour, 0 to 23."),
      Part("minute", "The minute, 0 to 59."),
      Part("second", "The second, 0 to 59."),
      Part("day_of_week", "The day of the week, Monday is 0."),
      Part("day_of_year", "The day of the year, from 1."),
      VectorFunction("temporal.strftime", "The time as text.", kTime,
                     CallArrow("strftime",
                               [](const BoundSignature& signature) -> Result<FunctionOptionsPtr> {
                                 return std::make_shared<arrow::compute::StrftimeOptions>(
                                     signature.options.String("format"));
                               }),
                     {{.name = "format", .type = OptionType::kString, .default_value = "%Y-%m-%dT%H:%M:%S",
                       .doc = "As C's strftime."}}),
      VectorFunction("temporal.truncate", "The start of the unit that the time lies in.", kTime,
                     CallArrow("floor_temporal",
                               [](const BoundSignature& signature) -> Result<FunctionOptionsPtr> {
                                 return std::make_shared<arrow::compute::RoundTemporalOptions>(
                                     1, Units().at(signature.options.String("unit")));
                               }),
                     {{.name = "unit", .type = OptionType::kString, .doc = "Calendar unit.", .required = true,
                       .choices = unit_names}}),
  };
}

}  // namespace mainstem
