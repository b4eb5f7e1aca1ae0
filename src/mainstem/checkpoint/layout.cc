#include "mainstem/checkpoint/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mainstem::checkpoint {
namespace {

constexpr std::string_view kCheckpointPrefix = "checkpoint-";
constexpr std::string_view kSavepointPrefix = "savepoint-";
constexpr std::string_view kCommitPrefix = "commit-";
constexpr std::string_view kPartialPrefix = "manifest-";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A whole number as ToString writes it: no sign, no zeros before it.
std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsDigit) || (text.size() > 1 && text[0] == '0')) {
    return std::nullopt;
  }
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}

}  // namespace

std::string ToString(const FolderName& folder) {
  return fmt::format("{}{}", folder.is_savepoint ? kSavepointPrefix : kCheckpointPrefix, folder.checkpoint);
}

std::optional<FolderName> ParseFolderName(std::string_view name) {
  const bool is_savepoint = name.starts_with(kSavepointPrefix);
  const std::string_view prefix = is_savepoint ? kSavepointPrefix : kCheckpointPrefix;
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto number = ParseNumber(name.substr(prefix.size()));
  if (!number) return std::nullopt;
  return FolderName{*number, is_savepoint};
}

std::string CommitName(int64_t checkpoint) { return fmt::format("{}{}", kCommitPrefix, checkpoint); }

std::optional<int64_t> ParseCommitName(std::string_view name) {
  if (!name.starts_with(kCommitPrefix)) return std::nullopt;
  return ParseNumber(name.substr(kCommitPrefix.size()));
}

std::string SnapshotName(int64_t epoch, int task, int lane) {
  return fmt::format("{}-{}-{}{}", epoch, task, lane, kSnapshotSuffix);
}

std::string PartialName(int64_t epoch) { return fmt::format("{}{}{}", kPartialPrefix, epoch, kPartialSuffix); }

std::optional<int64_t> EpochOf(std::string_view name) {
  if (name.ends_with(kPartialSuffix) && name.starts_with(kPartialPrefix)) {
    name.remove_suffix(kPartialSuffix.size());
    name.remove_prefix(kPartialPrefix.size());
    return ParseNumber(name);
  }
  if (!name.ends_with(kSnapshotSuffix)) return std::nullopt;
  return ParseNumber(name.substr(0, name.find('-')));
}

bool IsSafeName(std::string_view name) {
  const auto safe = [](char c) {
    return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kNameBytesMax && name[0] != '.' && std::all_of(name.begin(), name.end(), safe);
}

}  // namespace mainstem::checkpoint
