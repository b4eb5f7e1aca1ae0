// Text kernels: whole columns of strings at once; positions and lengths count Unicode code points.
#include <arrow/array.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <limits>

#include "mainstem/functions/vector/arrow_function.h"

namespace mainstem {
namespace {

using Arguments = std::vector<arrow::Datum>;
using FunctionOptionsPtr = std::shared_ptr<arrow::compute::FunctionOptions>;

const std::vector<ArgumentSpec> kText = {{"text", TypePattern::kText, ""}};

OptionSpec Pattern(std::string doc) {
  return {.name = "pattern", .type = OptionType::kString, .doc = std::move(doc), .required = true};
}

FunctionDefinition Match(std::string name, std::string arrow_name, std::string doc) {
  return VectorFunction(std::move(name), std::move(doc), kText,
                        CallArrow(std::move(arrow_name),
                                  [](const BoundSignature& signature) -> Result<FunctionOptionsPtr> {
                                    return std::make_shared<arrow::compute::MatchSubstringOptions>(
                                        signature.options.String("pattern"));
                                  }),
                        {Pattern("What to look for.")});
}

Result<arrow::Datum> Replace(const Arguments& arguments, const BoundSignature& signature, arrow::MemoryPool* pool) {
  const arrow::compute::ReplaceSubstringOptions options(signature.options.String("pattern"),
                                                        signature.options.String("replacement"));
  return CallKernel(signature.options.Bool("regex") ? "replace_substring_regex" : "replace_substring", arguments,
                    &options, pool);
}

// The pattern with its unnamed groups made non-capturing: only what they hold together matters here.
std::string WithoutUnnamedGroups(const std::string& pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    out += pattern[i];
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out += pattern[++i];
    } else if (in_class) {
      in_class = pattern[i] != ']';
    } else if (pattern[i] == '[') {
      in_class = true;
      // A bracket that comes first, perhaps behind ^, stands for itself.
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
    } else if (pattern[i] == '(' && (i + 1 == pattern.size() || pattern[i + 1] != '?')) {
      out += "?:";
    }
  }
  return out;
}

Result<arrow::Datum> Extract(const Arguments& arguments, const BoundSignature& signature, arrow::MemoryPool* pool) {
  // Arrow extracts named groups only: the whole pattern becomes one, or the caller names a group.
  const std::string& pattern = signature.options.String("pattern");
  const std::string group = signature.options.MaybeString("group").value_or("");
  const std::string inner = WithoutUnnamedGroups(pattern);
  const std::string named = group.empty() ? fmt::format("(?P<match>{})", inner) : inner;
  const arrow::compute::ExtractRegexOptions options(named);
  ARROW_ASSIGN_OR_RAISE(arrow::Datum groups, CallKernel("extract_regex", arguments, &options, pool));
  const arrow::compute::StructFieldOptions field(arrow::FieldRef(group.empty() ? "match" : group));
  return CallKernel("struct_field", {groups}, &field, pool);
}

Result<arrow::Datum> Concat(const Arguments& arguments, const BoundSignature&, arrow::MemoryPool* pool) {
  Arguments parts = arguments;
  parts.emplace_back(arrow::MakeScalar(std::string()));
  const arrow::compute::JoinOptions options;
  return CallKernel("binary_join_element_wise", parts, &options, pool);
}

}  // namespace

std::vector<FunctionDefinition> TextKernels() {
  FunctionDefinition concat =
      VectorFunction("text.concat", "The strings one after the other; null where one is null.", kText, Concat);
  concat.variadic = true;
  return {
      VectorFunction("text.upper", "In capital letters.", kText, CallArrow("utf8_upper")),
      VectorFunction("text.lower", "In small letters.", kText, CallArrow("utf8_lower")),
      VectorFunction("text.trim", "Without white space at both ends.", kText, CallArrow("utf8_trim_whitespace")),
      VectorFunction("text.reverse", "Code points in reverse order.", kText, CallArrow("utf8_reverse")),
      VectorFunction("text.length", "Number of code points.", kText, CallArrow("utf8_length")),
      Match("text.contains", "match_substring", "True where the text contains the pattern, literally."),
      Match("text.starts_with", "starts_with", "True where the text starts with the pattern."),
      Match("text.ends_with", "ends_with", "True where the text ends with the pattern."),
      Match("text.matches", "match_substring_regex",
            "True where the regular expression (RE2 syntax) matches somewhere in the text."),
      Match("text.like", "match_like", "True where the SQL LIKE pattern (% and _) matches the whole text."),
      VectorFunction("text.replace", "The text with every match of the pattern replaced.", kText, Replace,
                     {Pattern("What to replace."),
                      {.name = "replacement", .type = OptionType::kString, .doc = "What to put there.", .required = true},
                      {.name = "regex",
                       .type = OptionType::kBool,
                       .default_value = false,
                       .doc = "The pattern is a regular expression (RE2 syntax), \\1 a group in the replacement."}}),
      VectorFunction("text.extract", "The first match of a regular expression (RE2 syntax), or null.", kText, Extract,
                     {Pattern("The regular expression."),
                      {.name = "group", .type = OptionType::kString, .doc = "A named group instead of the whole match."}}),
      VectorFunction("text.split", "The parts between separators, as a list.", kText,
                     CallArrow("split_pattern",
                               [](const BoundSignature& signature) -> Result<FunctionOptionsPtr> {
                                 return std::make_shared<arrow::compute::SplitPatternOptions>(
                                     signature.options.String("separator"));
                               }),
                     {{.name = "separator", .type = OptionType::kString, .doc = "Between the parts.", .required = true}}),
      VectorFunction("text.slice", "A part of the text.", kText,
                     CallArrow("utf8_slice_codeunits",
                               [](const BoundSignature& signature) -> Result<FunctionOptionsPtr> {
                                 const int64_t start = signature.options.Int("start");
                                 const auto length = signature.options.MaybeInt("length");
                                 const int64_t most = std::numeric_limits<int64_t>::max();
                                 const int64_t stop = length && *length < most - start ? start + *length : most;
                                 return std::make_shared<arrow::compute::SliceOptions>(start, stop, 1);
                               }),
                     {{.name = "start", .type = OptionType::kInt, .default_value = 0, .doc = "First code point, from 0.",
                       .minimum = 0},
                      {.name = "length", .type = OptionType::kInt, .doc = "Number of code points; None = the rest.",
                       .minimum = 0}}),
      concat,
  };
}

}  // namespace mainstem
