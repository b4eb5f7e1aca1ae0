// Position: the place of an enumeration in its source, read from JSON that may come from anywhere.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "mainstem/base/error.h"

namespace mainstem {

/// Reads the members of a JSON object, each checked before it is used. Errors are job errors that name the connector
/// and say that the text is not one of its own.
class StatedPosition {
 public:
  /// `what` is "position" or "split".
  static Result<StatedPosition> Parse(std::string connector, std::string what, const std::string& text);
  static Result<StatedPosition> Of(std::string connector, std::string what, nlohmann::json json);

  bool Has(const char* name) const { return json_.contains(name); }
  Result<int64_t> Number(const char* name, int64_t smallest = 0,
                         int64_t largest = std::numeric_limits<int64_t>::max()) const;
  /// From zero to 2^60, so that more can be added without a thought of overflow.
  Result<int64_t> Count(const char* name) const { return Number(name, 0, int64_t{1} << 60); }
  /// Nothing where the member is missing.
  Result<std::optional<int64_t>> MaybeNumber(const char* name, int64_t smallest = 0) const;
  Result<std::string> Text(const char* name) const;
  Result<StatedPosition> Object(const char* name) const;
  const nlohmann::json& json() const { return json_; }

  /// "range: the position {…} …"
  Status Bad(std::string_view why) const;

 private:
  StatedPosition(std::string connector, std::string what, nlohmann::json json)
      : connector_(std::move(connector)), what_(std::move(what)), json_(std::move(json)) {}

  std::string connector_;
  std::string what_;
  nlohmann::json json_;
};

/// Text of a position whose members are all UTF-8.
std::string PositionText(const nlohmann::json& json);

/// Any bytes as text, readable where they are ASCII: percent signs and all else become %41. And back, or nothing.
std::string PercentEncoded(std::string_view bytes);
std::optional<std::string> PercentDecoded(std::string_view text);

}  // namespace mainstem
