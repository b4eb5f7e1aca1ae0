// SeenFiles: which files have been handed out, in 16 bytes each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// A set of uris, kept as their hashes: 128 bits of BLAKE2b, which nobody can make two names for. One thread at a time.
class SeenFiles {
 public:
  using Key = std::array<unsigned char, 16>;
  static Key KeyOf(std::string_view uri);

  /// Takes O(log n), and once after each Add O(n).
  bool Has(const Key& key);
  void Add(const Key& key) { recent_.push_back(key); }
  size_t size() const { return sorted_.size() + recent_.size(); }

  /// base64 of the hashes: 22 characters a file.
  std::string ToText() const;
  static Result<SeenFiles> Parse(const std::string& text);

 private:
  void Merge();

  std::vector<Key> sorted_;
  std::vector<Key> recent_;
};

}  // namespace mainstem
