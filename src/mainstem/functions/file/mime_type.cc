#include "mainstem/functions/file/mime_type.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>

namespace mainstem {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 37> kExtensions = {{
    {"aac", "audio/aac"},
    {"aif", "audio/aiff"},
    {"aiff", "audio/aiff"},
    {"avi", "video/x-msvideo"},
    {"bmp", "image/bmp"},
    {"csv", "text/csv"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"jsonl", "application/jsonl"},
    {"m4a", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"md", "text/markdown"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"parquet", "application/vnd.apache.parquet"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"txt", "text/plain"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
}};

// ISO 14496-12: a file starts with a box of type ftyp, whose first word is the major brand.
std::string_view OfIsoBrand(std::string_view brand) {
  if (brand == "qt  ") return "video/quicktime";
  if (brand == "M4A " || brand == "M4B ") return "audio/mp4";
  if (brand == "avif" || brand == "avis") return "image/avif";
  if (brand == "heic" || brand == "heix" || brand == "mif1") return "image/heic";
  return "video/mp4";
}

// An EBML header names its document type; Theora and other video in Ogg is named in the first page.
std::string_view OfEbml(std::string_view head) {
  return head.substr(0, 64).find("webm") != std::string_view::npos ? "video/webm" : "video/x-matroska";
}

std::string_view OfOgg(std::string_view head) {
  return head.substr(0, 64).find("theora") != std::string_view::npos ? "video/ogg" : "audio/ogg";
}

bool IsMpegAudio(std::string_view head) {
  if (head.starts_with("ID3")) return true;
  if (head.size() < 3) return false;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(head[i]); };
  // Sync word, a layer, a bit rate and a sample rate that exist.
  return byte(0) == 0xff && (byte(1) & 0xe0) == 0xe0 && (byte(1) & 0x18) != 0x08 && (byte(1) & 0x06) != 0 &&
         (byte(2) & 0xf0) != 0xf0 && (byte(2) & 0x0c) != 0x0c;
}

// The path without what follows it in a uri with a scheme.
std::string_view PathOf(std::string_view uri) {
  const size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos) return uri;
  if (uri.starts_with("http://") || uri.starts_with("https://")) uri = uri.substr(0, uri.find_first_of("?#"));
  uri.remove_prefix(std::min(uri.size(), scheme + 3));
  // Without a slash there is only a host.
  const size_t path = uri.find('/');
  return path == std::string_view::npos ? std::string_view() : uri.substr(path);
}

}  // namespace

std::string_view MimeTypeOfBytes(std::string_view head) {
  const auto at = [&](size_t offset, std::string_view text) {
    return head.size() >= offset + text.size() && head.substr(offset, text.size()) == text;
  };
  if (at(0, "\xff\xd8\xff")) return "image/jpeg";
  if (at(0, "\x89PNG\r\n\x1a\n")) return "image/png";
  if (at(0, "RIFF") && at(8, "WEBP")) return "image/webp";
  if (at(0, "GIF87a") || at(0, "GIF89a")) return "image/gif";
  // Readers accept a PDF header anywhere in the first kilobyte.
  if (head.substr(0, 1024).find("%PDF-") != std::string_view::npos) return "application/pdf";
  if ((at(0, "RIFF") || at(0, "RF64") || at(0, "RIFX")) && at(8, "WAVE")) return "audio/wav";
  if (at(0, "fLaC")) return "audio/flac";
  if (at(0, "OggS")) return OfOgg(head);
  if (at(4, "ftyp") && head.size() >= 12) return OfIsoBrand(head.substr(8, 4));
  if (at(4, "moov") || at(4, "mdat") || at(4, "wide")) return "video/quicktime";
  if (at(0, "\x1a\x45\xdf\xa3")) return OfEbml(head);
  if (at(0, "FORM") && (at(8, "AIFF") || at(8, "AIFC"))) return "audio/aiff";
  return IsMpegAudio(head) ? "audio/mpeg" : "";
}

std::string_view MimeTypeOfName(std::string_view uri) {
  const std::string_view name = FileName(uri);
  const size_t point = name.rfind('.');
  if (point == std::string_view::npos || point == 0) return "";
  std::string extension(name.substr(point + 1));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const auto found = std::find_if(kExtensions.begin(), kExtensions.end(),
                                  [&](const Pair& pair) { return pair.first == extension; });
  return found == kExtensions.end() ? "" : found->second;
}

std::string_view FileName(std::string_view uri) {
  const std::string_view path = PathOf(uri);
  return path.substr(path.rfind('/') + 1);
}

}  // namespace mainstem
