#include "mainstem/connectors/position.h"

#include <fmt/format.h>

#include <utility>

namespace mainstem {
namespace {

std::optional<int64_t> Whole(const nlohmann::json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  return std::nullopt;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

Result<StatedPosition> StatedPosition::Parse(std::string connector, std::string what, const std::string& text) {
  return Of(std::move(connector), std::move(what), nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false));
}

Result<StatedPosition> StatedPosition::Of(std::string connector, std::string what, nlohmann::json json) {
  const bool is_object = json.is_object();
  StatedPosition position(std::move(connector), std::move(what), std::move(json));
  if (!is_object) return position.Bad("it is not a JSON object");
  return position;
}

Result<int64_t> StatedPosition::Number(const char* name, int64_t smallest, int64_t largest) const {
  const auto found = json_.find(name);
  if (found == json_.end()) return Bad(fmt::format("it has no '{}'", name));
  const auto number = Whole(*found);
  if (!number) return Bad(fmt::format("'{}' is not a whole number", name));
  if (*number < smallest || *number > largest) {
    return Bad(fmt::format("'{}' is not from {} to {}", name, smallest, largest));
  }
  return *number;
}

Result<std::optional<int64_t>> StatedPosition::MaybeNumber(const char* name, int64_t smallest) const {
  if (!Has(name)) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(const int64_t number, Number(name, smallest));
  return number;
}

Result<std::string> StatedPosition::Text(const char* name) const {
  const auto found = json_.find(name);
  if (found == json_.end() || !found->is_string()) return Bad(fmt::format("it has no text '{}'", name));
  return found->get<std::string>();
}

Result<StatedPosition> StatedPosition::Object(const char* name) const {
  const auto found = json_.find(name);
  if (found == json_.end() || !found->is_object()) return Bad(fmt::format("it has no object '{}'", name));
  return StatedPosition(connector_, what_, *found);
}

Status StatedPosition::Bad(std::string_view why) const {
  const std::string text = json_.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return JobError(fmt::format("{}: {} '{}' is not one of this source: {}", connector_, what_, Escaped(text), why));
}

std::string PositionText(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string PercentEncoded(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c > ' ' && c < 0x7f && c != '%') {
      text += c;
    } else {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return bytes;
}

}  // namespace mainstem
