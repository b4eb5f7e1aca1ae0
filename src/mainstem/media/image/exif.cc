#include "mainstem/media/image/exif.h"

#include <cstring>

namespace mainstem {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShortType = 3;
constexpr size_t kEntryBytes = 12;

// An integer of `size` bytes at `offset`, or 0 outside the block.
uint32_t Integer(std::span<const uint8_t> block, size_t offset, size_t size, bool big_endian) {
  if (offset > block.size() || block.size() - offset < size) return 0;
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    value = value << 8 | block[offset + (big_endian ? i : size - 1 - i)];
  }
  return value;
}

}  // namespace

int32_t ExifOrientation(std::span<const uint8_t> block) {
  if (block.size() >= 6 && std::memcmp(block.data(), "Exif\0\0", 6) == 0) block = block.subspan(6);
  if (block.size() < 8) return 1;
  const bool big_endian = block[0] == 'M';
  if (block[0] != block[1] || (block[0] != 'M' && block[0] != 'I') || Integer(block, 2, 2, big_endian) != 42) return 1;
  const size_t directory = Integer(block, 4, 4, big_endian);
  const uint32_t count = Integer(block, directory, 2, big_endian);
  for (uint32_t i = 0; i < count; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (entry > block.size() || block.size() - entry < kEntryBytes) break;
    if (Integer(block, entry, 2, big_endian) != kOrientationTag) continue;
    const uint32_t orientation = Integer(block, entry + 8, 2, big_endian);
    const bool valid = Integer(block, entry + 2, 2, big_endian) == kShortType && orientation >= 1 && orientation <= 8;
    return valid ? static_cast<int32_t>(orientation) : 1;
  }
  return 1;
}

}  // namespace mainstem
