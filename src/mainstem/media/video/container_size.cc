#include "mainstem/media/video/container_size.h"

#include <array>
#include <bit>
#include <cstring>
#include <string_view>

namespace mainstem::video {
namespace {

constexpr int kBoxesMax = 100000;  // fragmented files have two boxes a fragment

using Header = std::array<uint8_t, 16>;

// Reads up to 16 bytes; what is beyond the end reads as zero.
int64_t ReadHeader(ByteSource* source, int64_t offset, Header* header) {
  header->fill(0);
  return source->ReadAt(offset, static_cast<int64_t>(header->size()), header->data());
}

uint64_t BigEndian(const uint8_t* bytes, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

bool IsType(const uint8_t* bytes, std::string_view type) { return std::memcmp(bytes, type.data(), type.size()) == 0; }

std::optional<int64_t> IsoSize(ByteSource* source) {
  Header header;
  int64_t offset = 0;
  for (int box = 0; box < kBoxesMax; ++box) {
    const int64_t got = ReadHeader(source, offset, &header);
    if (got < 8) return offset;
    if (header[4] < ' ' || header[4] > '~') return offset;  // trailing bytes that are no box
    uint64_t size = BigEndian(header.data(), 4);
    if (size == 0) return std::nullopt;  // to the end of the file
    if (size == 1) size = BigEndian(header.data() + 8, 8);
    if (size < 8 || size > uint64_t{1} << 62) return std::nullopt;
    if (__builtin_add_overflow(offset, static_cast<int64_t>(size), &offset)) return std::nullopt;
    if (offset > source->size()) return offset;
  }
  return std::nullopt;
}

// An EBML number: the leading zero bits of the first byte say how many bytes follow. Unknown is all ones.
std::optional<int64_t> EbmlSize(const uint8_t* bytes, int* length) {
  *length = std::countl_zero(bytes[0]) + 1;
  if (*length > 8) return std::nullopt;
  const uint64_t mask = (uint64_t{1} << (7 * *length)) - 1;
  const uint64_t value = BigEndian(bytes, *length) & mask;
  if (value == mask) return std::nullopt;
  return static_cast<int64_t>(value);
}

std::optional<int64_t> MatroskaSize(ByteSource* source) {
  Header header;
  int64_t offset = 0;
  for (std::string_view id : {std::string_view("\x1A\x45\xDF\xA3"), std::string_view("\x18\x53\x80\x67")}) {
    ReadHeader(source, offset, &header);
    if (!IsType(header.data(), id)) return std::nullopt;
    int length = 0;
    const std::optional<int64_t> size = EbmlSize(header.data() + 4, &length);
    if (!size || __builtin_add_overflow(offset, *size + 4 + length, &offset)) return std::nullopt;
  }
  return offset;
}

std::optional<int64_t> RiffSize(const Header& header) {
  const uint8_t* bytes = header.data() + 4;
  const int64_t size = int64_t{bytes[0]} | int64_t{bytes[1]} << 8 | int64_t{bytes[2]} << 16 | int64_t{bytes[3]} << 24;
  // Writers that could not go back left nothing or the largest number.
  if (size == 0 || size >= 0xFFFFFFF0) return std::nullopt;
  return size + 8;
}

}  // namespace

std::optional<int64_t> ClaimedSize(ByteSource* source) {
  Header header;
  if (ReadHeader(source, 0, &header) < 12) return std::nullopt;
  if (IsType(header.data() + 4, "ftyp") || IsType(header.data() + 4, "moov") || IsType(header.data() + 4, "mdat") ||
      IsType(header.data() + 4, "wide") || IsType(header.data() + 4, "free") || IsType(header.data() + 4, "skip")) {
    return IsoSize(source);
  }
  if (IsType(header.data(), "\x1A\x45\xDF\xA3")) return MatroskaSize(source);
  if (IsType(header.data(), "RIFF") && IsType(header.data() + 8, "AVI ")) return RiffSize(header);
  return std::nullopt;
}

}  // namespace mainstem::video
