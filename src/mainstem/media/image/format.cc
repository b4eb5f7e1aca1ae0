#include "mainstem/media/image/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace mainstem {
namespace {

using namespace std::string_view_literals;

// First bytes of formats that people pass by mistake.
constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
    {"GIF8"sv, "a GIF"},         {"BM"sv, "a BMP"},       {"II*\0"sv, "a TIFF"}, {"MM\0*"sv, "a TIFF"},
    {"%PDF"sv, "a PDF"},         {"\0\0\1\0"sv, "an ICO"}, {"<svg"sv, "an SVG"},  {"<?xml"sv, "an XML"},
    {"<!DOCTYPE"sv, "an HTML"},  {"<html"sv, "an HTML"},  {"8BPS"sv, "a PSD"},   {"\xff\x0a"sv, "a JPEG XL"},
};

}  // namespace

std::string_view ToString(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg: return "JPEG";
    case ImageFormat::kPng: return "PNG";
    case ImageFormat::kWebp: return "WEBP";
  }
  return "?";
}

std::string_view MimeType(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg: return "image/jpeg";
    case ImageFormat::kPng: return "image/png";
    case ImageFormat::kWebp: return "image/webp";
  }
  return "?";
}

Result<ImageFormat> ParseImageFormat(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  if (upper == "JPEG" || upper == "JPG") return ImageFormat::kJpeg;
  if (upper == "PNG") return ImageFormat::kPng;
  if (upper == "WEBP") return ImageFormat::kWebp;
  return JobError(fmt::format("the image format '{}' is not supported; there are JPEG, PNG and WEBP", Escaped(name)));
}

Result<ImageFormat> DetectImageFormat(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xff\xd8\xff"sv)) return ImageFormat::kJpeg;
  if (text.starts_with("\x89PNG\r\n\x1a\n"sv)) return ImageFormat::kPng;
  if (text.size() >= 12 && text.starts_with("RIFF"sv) && text.substr(8, 4) == "WEBP"sv) return ImageFormat::kWebp;
  if (text.empty()) return RowError("there are no bytes to decode an image from");
  for (const auto& [magic, what] : kOthers) {
    if (text.starts_with(magic)) {
      return RowError(fmt::format("the bytes are {} file; JPEG, PNG and WEBP images can be decoded", what));
    }
  }
  return RowError(fmt::format("the bytes are no image that can be decoded (JPEG, PNG or WEBP); they start with '{}'",
                              Escaped(text.substr(0, 16))));
}

}  // namespace mainstem
