#include "mainstem/base/error.h"

#include <fmt/format.h>

#include <memory>

namespace mainstem {
namespace {

constexpr char kDetailId[] = "mainstem::ErrorClass";

class ClassDetail : public arrow::StatusDetail {
 public:
  explicit ClassDetail(ErrorClass error_class) : error_class_(error_class) {}
  const char* type_id() const override { return kDetailId; }
  std::string ToString() const override {
    return std::string(mainstem::ToString(error_class_)) + " error";
  }
  ErrorClass error_class() const { return error_class_; }

 private:
  ErrorClass error_class_;
};

Status Make(arrow::StatusCode code, ErrorClass error_class, std::string message) {
  return Status(code, std::move(message), std::make_shared<ClassDetail>(error_class));
}

}  // namespace

std::string_view ToString(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kRetry: return "retry";
    case ErrorClass::kRow: return "row";
    case ErrorClass::kRegion: return "region";
    case ErrorClass::kJob: return "job";
    case ErrorClass::kCancelled: return "cancelled";
  }
  return "unknown";
}

Status RetryError(std::string message) {
  return Make(arrow::StatusCode::IOError, ErrorClass::kRetry, std::move(message));
}
Status RowError(std::string message) {
  return Make(arrow::StatusCode::Invalid, ErrorClass::kRow, std::move(message));
}
Status RegionError(std::string message) {
  return Make(arrow::StatusCode::UnknownError, ErrorClass::kRegion, std::move(message));
}
Status JobError(std::string message) {
  return Make(arrow::StatusCode::Invalid, ErrorClass::kJob, std::move(message));
}
Status CancelledError(std::string message) {
  return Make(arrow::StatusCode::Cancelled, ErrorClass::kCancelled, std::move(message));
}

ErrorClass ClassOf(const Status& status) {
  const auto& detail = status.detail();
  if (detail && std::string_view(detail->type_id()) == kDetailId) {
    return static_cast<const ClassDetail&>(*detail).error_class();
  }
  return status.IsCancelled() ? ErrorClass::kCancelled : ErrorClass::kJob;
}

Status WithContext(const Status& status, std::string_view context) {
  if (status.ok()) return status;
  return Status(status.code(), fmt::format("{}: {}", context, status.message()), status.detail());
}

namespace {

// Length of the well-formed UTF-8 sequence at `text`, or 0 (RFC 3629, table 3-7 of the Unicode standard).
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

std::string Escaped(std::string_view bytes, size_t max_bytes) {
  std::string out;
  size_t i = 0;
  for (; i < bytes.size() && out.size() < max_bytes;) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    const size_t length = Utf8Length(bytes.substr(i));
    // U+0080..U+009F are control characters too; U+202A..U+202E and U+2066..U+2069 reorder text.
    const bool hidden = c < 0x20 || c == 0x7F || (c == 0xC2 && length == 2 &&
                                                  static_cast<unsigned char>(bytes[i + 1]) < 0xA0) ||
                        (length == 3 && c == 0xE2 &&
                         ((static_cast<unsigned char>(bytes[i + 1]) == 0x80 &&
                           static_cast<unsigned char>(bytes[i + 2]) >= 0xAA &&
                           static_cast<unsigned char>(bytes[i + 2]) <= 0xAE) ||
                          (static_cast<unsigned char>(bytes[i + 1]) == 0x81 &&
                           static_cast<unsigned char>(bytes[i + 2]) >= 0xA6 &&
                           static_cast<unsigned char>(bytes[i + 2]) <= 0xA9)));
    if (length == 0 || hidden) {
      const size_t count = length == 0 ? 1 : length;
      for (size_t k = 0; k < count; ++k) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[i + k]));
      }
      i += count;
    } else {
      out.append(bytes.substr(i, length));
      i += length;
    }
  }
  if (i < bytes.size()) out += fmt::format("… ({} bytes)", bytes.size());
  return out;
}

}  // namespace mainstem
