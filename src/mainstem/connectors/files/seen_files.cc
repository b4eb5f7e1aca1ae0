#include "mainstem/connectors/files/seen_files.h"

#include <arrow/util/base64.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace mainstem {

SeenFiles::Key SeenFiles::KeyOf(std::string_view uri) {
  Key key;
  crypto_generichash(key.data(), key.size(), reinterpret_cast<const unsigned char*>(uri.data()), uri.size(), nullptr,
                     0);
  return key;
}

bool SeenFiles::Has(const Key& key) {
  Merge();
  return std::binary_search(sorted_.begin(), sorted_.end(), key);
}

void SeenFiles::Merge() {
  if (recent_.empty()) return;
  std::sort(recent_.begin(), recent_.end());
  const auto middle = static_cast<std::ptrdiff_t>(sorted_.size());
  sorted_.insert(sorted_.end(), recent_.begin(), recent_.end());
  std::inplace_merge(sorted_.begin(), sorted_.begin() + middle, sorted_.end());
  recent_ = {};
}

std::string SeenFiles::ToText() const {
  std::string bytes(size() * sizeof(Key), '\0');
  const size_t sorted_bytes = sorted_.size() * sizeof(Key);
  if (sorted_bytes > 0) std::memcpy(bytes.data(), sorted_.data(), sorted_bytes);
  if (!recent_.empty()) std::memcpy(bytes.data() + sorted_bytes, recent_.data(), recent_.size() * sizeof(Key));
  return arrow::util::base64_encode(bytes);
}

Result<SeenFiles> SeenFiles::Parse(const std::string& text) {
  const auto bytes = arrow::util::base64_decode(text);
  if (!bytes.ok() || bytes->size() % sizeof(Key) != 0) return JobError("the files that were seen are not stated well");
  SeenFiles seen;
  seen.recent_.resize(bytes->size() / sizeof(Key));
  if (!bytes->empty()) std::memcpy(seen.recent_.data(), bytes->data(), bytes->size());
  return seen;
}

}  // namespace mainstem
