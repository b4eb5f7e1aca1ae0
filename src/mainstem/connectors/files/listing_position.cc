#include "mainstem/connectors/files/listing_position.h"

#include <fmt/format.h>

#include <limits>

namespace mainstem {
namespace {

nlohmann::json WithUri(const ListedFile& file, std::string uri) {
  nlohmann::json json{{"uri", std::move(uri)}};
  if (file.size) json["size"] = *file.size;
  if (file.modified_ns) json["modified_ns"] = *file.modified_ns;
  return json;
}

Result<std::string> Decoded(const StatedPosition& stated, const char* name) {
  ARROW_ASSIGN_OR_RAISE(const std::string text, stated.Text(name));
  auto bytes = PercentDecoded(text);
  if (!bytes) return stated.Bad(fmt::format("'{}' is not percent-encoded", name));
  return *std::move(bytes);
}

}  // namespace

std::string ListedFile::Version() const {
  return size && modified_ns ? fmt::format("{}-{}", *size, *modified_ns) : "";
}

nlohmann::json ToJson(const ListingPosition& position) {
  nlohmann::json json{{"path", position.path}};
  if (!position.after.empty()) json["after"] = PercentEncoded(position.after);
  if (position.passed > 0) json["passed"] = position.passed;
  return json;
}

Result<ListingPosition> ParseListingPosition(const StatedPosition& stated, size_t paths) {
  ListingPosition position;
  ARROW_ASSIGN_OR_RAISE(position.path, stated.Number("path", 0, static_cast<int64_t>(paths)));
  if (stated.Has("after")) {
    ARROW_ASSIGN_OR_RAISE(position.after, Decoded(stated, "after"));
  }
  if (stated.Has("passed")) {
    ARROW_ASSIGN_OR_RAISE(position.passed, stated.Count("passed"));
  }
  return position;
}

nlohmann::json ToJson(const ListedFile& file) { return WithUri(file, file.uri); }

Result<ListedFile> ParseListedFile(const StatedPosition& stated) {
  ListedFile file;
  ARROW_ASSIGN_OR_RAISE(file.uri, stated.Text("uri"));
  ARROW_ASSIGN_OR_RAISE(file.size, stated.MaybeNumber("size"));
  ARROW_ASSIGN_OR_RAISE(file.modified_ns, stated.MaybeNumber("modified_ns", std::numeric_limits<int64_t>::min()));
  return file;
}

nlohmann::json ToPositionJson(const ListedFile& file) { return WithUri(file, PercentEncoded(file.uri)); }

Result<ListedFile> ParsePositionFile(const StatedPosition& stated) {
  ARROW_ASSIGN_OR_RAISE(ListedFile file, ParseListedFile(stated));
  ARROW_ASSIGN_OR_RAISE(file.uri, Decoded(stated, "uri"));
  return file;
}

}  // namespace mainstem
